//! Headers that NumPy wrote.

use ndbytes_format::{Header, Limits, Version};
use ndbytes_testkit::golden;

#[test]
fn headers_are_written_byte_for_byte_as_numpys() {
    let mut seen = 0;
    for golden in golden::load("v1") {
        // What NumPy writes of extended types is void to whoever reads it.
        if golden.member.is_some() || golden.version == 0 || golden.name().starts_with("ml_") {
            continue;
        }
        let bytes = golden.read();
        let (header, offset) = Header::parse(&bytes, &Limits::default()).unwrap();
        assert_eq!(offset, golden.data_offset, "{}", golden.name());
        let version = [Version::V1, Version::V2, Version::V3][usize::from(golden.version) - 1];
        assert_eq!(header.encode_version(version).unwrap(), bytes[..offset], "{}", golden.name());
        if !golden.name().starts_with("version_") {
            assert_eq!(header.encode().unwrap(), bytes[..offset], "{}", golden.name());
        }
        seen += 1;
    }
    assert!(seen > 60, "{seen}");
}
