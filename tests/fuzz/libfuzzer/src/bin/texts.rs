#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| keybearer_fuzz::texts(data));
