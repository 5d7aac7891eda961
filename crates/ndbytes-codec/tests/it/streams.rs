//! Streams through hostile transports.

use std::io::{self, ErrorKind, Read, Write};

use ndbytes_codec::{Codec, Decoder, Encoder, compress, decompress};
use ndbytes_format::{Code, FormatError};
use ndbytes_testkit::Random;
use ndbytes_testkit::transport::{HostileReader, HostileWriter, ReadRule, WriteRule};
use proptest::prelude::*;

/// Half of it repeats, half of it does not.
fn sample(len: usize) -> Vec<u8> {
    let mut random = Random::new(7);
    (0..len).map(|i| if i / 1000 % 2 == 0 { (i / 50) as u8 } else { random.byte() }).collect()
}

fn packed(codec: Codec, level: u32, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    compress(codec, level, &mut &*data, &mut out).unwrap();
    out
}

fn code(error: &io::Error) -> Option<Code> {
    Some(error.get_ref()?.downcast_ref::<FormatError>()?.code())
}

#[test]
fn every_level_comes_back_and_is_the_same_each_time() {
    let data = sample(40_000);
    for &codec in Codec::ALL {
        for level in codec.levels() {
            let bytes = packed(codec, level, &data);
            assert_eq!(bytes, packed(codec, level, &data));
            assert_eq!(decompress(codec, &*bytes, u64::MAX).unwrap(), data);
        }
    }
}

#[test]
fn harmless_transports_change_nothing() {
    let data = sample(20_000);
    for &codec in Codec::ALL {
        let want = packed(codec, 6, &data);
        for rule in ReadRule::HARMLESS {
            let source = HostileReader::new(&*want, rule);
            assert_eq!(decompress(codec, source, u64::MAX).unwrap(), data, "{codec:?} {rule:?}");
            let mut source = HostileReader::new(&*data, rule);
            let mut out = Vec::new();
            compress(codec, 6, &mut source, &mut out).unwrap();
            assert_eq!(decompress(codec, &*out, u64::MAX).unwrap(), data, "{codec:?} {rule:?}");
        }
        for rule in WriteRule::HARMLESS {
            let mut sink = HostileWriter::new(rule);
            compress(codec, 6, &mut &*data, &mut sink).unwrap();
            assert_eq!(sink.arrived(), want, "{codec:?} {rule:?}");
        }
    }
}

#[test]
fn a_sink_that_fails_anywhere_is_reported() {
    let data = sample(3_000);
    for &codec in Codec::ALL {
        let len = packed(codec, 6, &data).len() as u64;
        for end in 0..len {
            for rule in WriteRule::failing(end) {
                let mut encoder = Encoder::new(codec, 6, HostileWriter::new(rule));
                let result = encoder.write_all(&data).and_then(|()| encoder.finish());
                assert!(result.is_err(), "{codec:?} {rule:?}");
            }
        }
    }
}

#[test]
fn a_source_that_fails_is_no_damage() {
    for codec in Codec::ALL.iter().copied().filter(|&codec| codec != Codec::Zlib) {
        let bytes = packed(codec, 6, &sample(3_000));
        for end in 0..bytes.len() as u64 {
            let reset = ReadRule::Fails(end, ErrorKind::ConnectionReset);
            let error = decompress(codec, HostileReader::new(&*bytes, reset), u64::MAX);
            assert_eq!(error.unwrap_err().kind(), ErrorKind::ConnectionReset);
            let cut = HostileReader::new(&*bytes, ReadRule::Cut(end));
            let error = decompress(codec, cut, u64::MAX).unwrap_err();
            assert_eq!(code(&error), Some(Code::CodecTruncated), "{codec:?} {end}");
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        }
    }
}

#[test]
fn a_stalled_source_goes_on_where_it_stopped() {
    let data = sample(3_000);
    for &codec in Codec::ALL {
        let bytes = packed(codec, 6, &data);
        for end in 0..bytes.len() as u64 {
            let stalls = HostileReader::new(&*bytes, ReadRule::Stalls(end));
            let mut decoder = Decoder::new(codec, stalls);
            let mut out = Vec::new();
            assert_eq!(decoder.read_to_end(&mut out).unwrap_err().kind(), ErrorKind::WouldBlock);
            decoder.read_to_end(&mut out).unwrap();
            decoder.expect_end().unwrap();
            assert!(out == data, "{codec:?} {end}");
        }
    }
}

#[test]
fn the_cap_is_exact() {
    let data = sample(5_000);
    for &codec in Codec::ALL {
        let bytes = packed(codec, 6, &data);
        assert_eq!(decompress(codec, &*bytes, 5_000).unwrap(), data);
        let error = decompress(codec, &*bytes, 4_999).unwrap_err();
        assert_eq!(code(&error), Some(Code::CodecTooLarge));
    }
    let empty = packed(Codec::Zlib, 6, b"");
    assert_eq!(decompress(Codec::Zlib, &*empty, 0).unwrap(), b"");
}

#[test]
fn one_codec_is_not_another() {
    let data = sample(2_000);
    for &codec in Codec::ALL {
        for &other in Codec::ALL {
            if other != codec {
                let error = decompress(other, &*packed(codec, 6, &data), u64::MAX);
                assert!(error.is_err_and(|error| code(&error).is_some()), "{codec:?} {other:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_in_any_pieces_come_back(
        data in prop::collection::vec(any::<u8>(), 0..2000),
        level in 0u32..12,
        seed in any::<u64>(),
    ) {
        for &codec in Codec::ALL {
            let mut sink = HostileWriter::new(WriteRule::Short(seed));
            compress(codec, level, &mut HostileReader::new(&*data, ReadRule::Short(seed)), &mut sink)
                .unwrap();
            let source = HostileReader::new(sink.arrived(), ReadRule::Interrupts(seed));
            prop_assert_eq!(&decompress(codec, source, u64::MAX).unwrap(), &data);
        }
    }

    #[test]
    fn damage_never_hangs_or_grows(
        data in prop::collection::vec(any::<u8>(), 0..500),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        for &codec in Codec::ALL {
            let mut bytes = packed(codec, 6, &data);
            let at = place.index(bytes.len());
            bytes[at] = byte;
            if let Ok(out) = decompress(codec, &*bytes, 1 << 20) {
                prop_assert!(codec == Codec::Deflate || out == data);
            }
        }
    }
}
