/** Safari on iPhones knows full screen for videos alone. */
interface VideoFullScreen {
  webkitEnterFullscreen?: () => void;
}

/** Makes `button` put the stage on the whole screen and back; it goes where the browser cannot. */
export function fullScreen(stage: HTMLElement, video: HTMLVideoElement & VideoFullScreen, button: HTMLElement): void {
  button.hidden = !document.fullscreenEnabled && video.webkitEnterFullscreen === undefined;
  button.addEventListener('click', () => {
    if (document.fullscreenElement !== null) void document.exitFullscreen();
    else if (document.fullscreenEnabled) void stage.requestFullscreen();
    else video.webkitEnterFullscreen?.();
  });
  document.addEventListener('fullscreenchange', () => {
    button.setAttribute('aria-pressed', String(document.fullscreenElement === stage));
  });
}
