#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ndbytes_testkit::targets::deflate_enter(data));
