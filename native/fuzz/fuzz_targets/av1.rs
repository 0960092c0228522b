//! See `core_media::fuzz`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| core_media::fuzz::av1(data));
