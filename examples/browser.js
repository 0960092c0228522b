const peer = new RTCPeerConnection();
for (const kind of ['video', 'audio']) peer.addTransceiver(kind, { direction: 'recvonly' });
const media = new MediaStream();
peer.ontrack = ({ track }) => media.addTrack(track);
await peer.setLocalDescription();
const headers = { 'Content-Type': 'application/sdp' };
const answer = await fetch('/whep/cam1', { method: 'POST', headers, body: peer.localDescription.sdp });
await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
document.querySelector('video').srcObject = media;
