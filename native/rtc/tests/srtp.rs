//! What is protected past libsrtp, libsrtp unprotects.
#![cfg(target_os = "linux")]

use core_media::codec::Codec;
use core_media::extension::ExtensionIds;
use core_media::frame::{ClockPoint, Frame};
use core_media::history::{History, Limits};
use core_media::payloads::Payloads;
use core_media::srtp::SrtpContext;
use core_media::time::{Time, WallClock};
use core_media::track::{Track, TrackConfig};
// It brings libsrtp.
use rtc as _;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::{Arc, Once};
use std::time::Duration;

const OK: c_int = 0;
/// `ssrc_any_inbound`.
const ANY_INBOUND: c_int = 2;
const SALT: usize = 12;
/// Key lengths of the profiles.
const KEYS: [usize; 2] = [16, 32];

unsafe extern "C" {
    fn srtp_init() -> c_int;
    fn srtp_create(session: *mut *mut c_void, policy: *const Policy) -> c_int;
    fn srtp_unprotect(session: *mut c_void, packet: *mut c_void, length: *mut c_int) -> c_int;
    fn srtp_set_stream_roc(session: *mut c_void, ssrc: u32, rollover: u32) -> c_int;
    fn srtp_dealloc(session: *mut c_void) -> c_int;
    fn srtp_crypto_policy_set_aes_gcm_128_16_auth(policy: *mut CryptoPolicy);
    fn srtp_crypto_policy_set_aes_gcm_256_16_auth(policy: *mut CryptoPolicy);
}

/// `srtp_policy_t`.
#[repr(C)]
struct Policy {
    ssrc_kind: c_int,
    ssrc: u32,
    rtp: CryptoPolicy,
    rtcp: CryptoPolicy,
    key: *const u8,
    keys: *const c_void,
    key_count: usize,
    deprecated: *const c_void,
    window: usize,
    allow_repeats: c_int,
    encrypted_extensions: *const c_int,
    encrypted_extension_count: c_int,
    next: *const c_void,
}

/// `srtp_crypto_policy_t`.
#[repr(C)]
struct CryptoPolicy([c_int; 6]);

/// A receiving session of libsrtp.
struct Receiver(*mut c_void);

impl Receiver {
    fn new(key_and_salt: &[u8]) -> Self {
        // SAFETY: structures of numbers and pointers that may be null; each call gets what its declaration says.
        unsafe {
            static INITIALIZED: Once = Once::new();
            INITIALIZED.call_once(|| assert_eq!(srtp_init(), OK));
            let mut policy: Policy = std::mem::zeroed();
            let set = match key_and_salt.len() - SALT {
                16 => srtp_crypto_policy_set_aes_gcm_128_16_auth,
                _ => srtp_crypto_policy_set_aes_gcm_256_16_auth,
            };
            set(&mut policy.rtp);
            set(&mut policy.rtcp);
            (policy.ssrc_kind, policy.key, policy.window) = (ANY_INBOUND, key_and_salt.as_ptr(), 1024);
            let mut session = ptr::null_mut();
            assert_eq!(srtp_create(&mut session, &policy), OK);
            Self(session)
        }
    }

    fn unprotect(&self, mut packet: Vec<u8>) -> Option<Vec<u8>> {
        let mut length = packet.len() as c_int;
        // SAFETY: the session lives, and the packet has that many bytes.
        let status = unsafe { srtp_unprotect(self.0, packet.as_mut_ptr().cast(), &mut length) };
        packet.truncate(length as usize);
        (status == OK).then_some(packet)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // SAFETY: it is freed once.
        unsafe { srtp_dealloc(self.0) };
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    /// A header with any number of CSRCs and any extension.
    fn header(&mut self, sequence: u16) -> Vec<u8> {
        let csrcs = self.below(16);
        let extended = self.next().is_multiple_of(2);
        let mut header = vec![0x80 | u8::from(extended) << 4 | csrcs as u8, self.next() as u8 & 0xdf];
        header.extend(sequence.to_be_bytes());
        header.extend(self.bytes(8 + 4 * csrcs));
        if extended {
            let words = self.below(20);
            header.extend([0xbe, 0xde, 0, words as u8]);
            header.extend(self.bytes(4 * words));
        }
        header
    }
}

fn context(key_and_salt: &[u8]) -> SrtpContext {
    let (key, salt) = key_and_salt.split_at(key_and_salt.len() - SALT);
    SrtpContext::new(key, salt).expect("a key of a profile")
}

#[test]
fn any_header_extension_size_sequence_and_rollover() {
    let mut random = Random(1);
    for case in 0..1_000 {
        let key_and_salt = random.bytes(KEYS[case % 2] + SALT);
        let index = match case % 5 {
            0 => (random.next() & 0xffff_ffff) << 16 | 0xffff,
            1 => (random.next() & 0xffff_ffff) << 16,
            _ => random.next() >> (16 + random.below(48)),
        };
        let header = random.header(index as u16);
        let plain = random.below(1_400);
        let plain = random.bytes(plain);
        let mut payload = plain.clone();
        let tag = context(&key_and_salt).seal(index, &header, &mut payload);
        let receiver = Receiver::new(&key_and_salt);
        let ssrc = u32::from_be_bytes(header[8..12].try_into().expect("four bytes"));
        let expected = [&header[..], &plain].concat();
        let packet = [&header[..], &payload, &tag].concat();
        if index >> 16 > 0 {
            // Another rollover is another nonce. That it is not authentic also makes the stream known, by its rollover.
            assert_eq!(receiver.unprotect(packet.clone()), None, "case {case}");
            let known = Receiver::new(&key_and_salt);
            teach(&known, &context(&key_and_salt), ssrc);
            // SAFETY: the session lives.
            assert_eq!(unsafe { srtp_set_stream_roc(known.0, ssrc, (index >> 16) as u32) }, OK);
            assert_eq!(known.unprotect(packet), Some(expected), "case {case}, index {index:x}");
        } else {
            assert_eq!(receiver.unprotect(packet), Some(expected), "case {case}, index {index:x}");
        }
    }
}

/// A session knows a stream once it has had a packet of it.
fn teach(receiver: &Receiver, context: &SrtpContext, ssrc: u32) {
    let mut header = [0x80; 12];
    header[2..4].fill(0);
    header[8..].copy_from_slice(&ssrc.to_be_bytes());
    let tag = context.seal(0, &header, &mut []);
    assert!(receiver.unprotect([&header[..], &tag].concat()).is_some());
}

/// One frame of so many packets.
fn frame(number: u64, packets: u64) -> Arc<Frame> {
    let mut payloads = Payloads::default();
    (0..packets).for_each(|packet| payloads.push(&(number * packets + packet).to_be_bytes()));
    let received = Time::from_millis(number * 10);
    let timestamp = number * 900;
    let clock = ClockPoint { time: received, timestamp };
    let first_packet = number * packets;
    Arc::new(Frame {
        codec: Codec::H264,
        number,
        first_packet,
        timestamp,
        keyframe: true,
        leading: false,
        received,
        clock,
        payloads,
    })
}

/// A track's packets, one in a hundred of which is lost and repeated, while its numbers wrap twice.
#[test]
fn numbers_wrap_twice_and_repairs_follow() {
    const PACKETS: u64 = 60;
    const FRAMES: u64 = (3 << 16) / PACKETS;
    for length in KEYS {
        let key_and_salt = Random(length as u64).bytes(length + SALT);
        let (context, receiver) = (context(&key_and_salt), Receiver::new(&key_and_salt));
        let mut track = Track::new(TrackConfig {
            codec: Codec::H264,
            payload_type: 96,
            ssrc: 7,
            first_sequence: 0x7ff0,
            timestamp_offset: 0,
            nack: true,
            retransmission: None,
            extensions: ExtensionIds { playout_delay: Some(3), ..ExtensionIds::default() },
            burst: usize::MAX,
            wall: WallClock::new(Duration::ZERO),
        });
        let mut history = History::new(90_000, Limits::default());
        let (mut received, mut repaired) = (0, 0);
        for number in 0..FRAMES {
            let (frame, now) = (frame(number, PACKETS), Time::from_millis(number * 10));
            history.push(frame.clone());
            let mut lost = Vec::new();
            track.live(&frame, now, &mut |packet| {
                if (number * PACKETS + packet.index as u64).is_multiple_of(97) {
                    return lost.push(packet.sequence as u16);
                }
                let (mut plain, mut protected) = (Vec::new(), Vec::new());
                packet.write(&mut plain);
                context.protect(&packet, &mut protected);
                assert_eq!(receiver.unprotect(protected), Some(plain), "packet {}", packet.sequence);
                received += 1;
            });
            track.nack(&lost, Duration::ZERO, now, &history, &mut |packet| {
                let (mut plain, mut protected) = (Vec::new(), Vec::new());
                packet.write(&mut plain);
                context.protect(&packet, &mut protected);
                assert_eq!(receiver.unprotect(protected), Some(plain), "repair of {}", packet.sequence);
                repaired += 1;
            });
        }
        assert_eq!(received + repaired, FRAMES * PACKETS);
        assert!(repaired > FRAMES / 2, "{repaired}");
    }
}
