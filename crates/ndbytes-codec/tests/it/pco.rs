//! pco against what `pcodec` 1.1 wrote.

use ndbytes_codec::pco::{Number, decode};

#[test]
fn what_pcodec_wrote_is_read() {
    let folder = ndbytes_testkit::golden::testdata().join("golden/pco1");
    let data = std::fs::read(folder.join("data.bin")).unwrap();
    let mut out = vec![0; data.len()];
    decode(&std::fs::read(folder.join("f8.pco")).unwrap(), Number::F64, &mut out).unwrap();
    assert!(out == data);
}
