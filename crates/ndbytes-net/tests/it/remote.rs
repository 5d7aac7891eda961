//! The client against the server, and every place at which an upload can be cut.

use std::io::{Read, Write};
use std::net::Shutdown;

use ndbytes::{
    ArrayView, Code, FrameOptions, FrameReader, Limits, NpyReader, NpzReader, Order, Progress,
    ReadAt, dump_frame, dumps,
};
use ndbytes_net::client::{RemoteFile, RemoteOptions, put};

use crate::client::Served;

fn bytes() -> Vec<u8> {
    (0..200_000u32).flat_map(|i| (i / 3).to_le_bytes()).collect()
}

fn view(bytes: &[u8]) -> ArrayView<'_> {
    ArrayView::contiguous("<u4".parse().unwrap(), &[500, 400], Order::C, bytes).unwrap()
}

fn url(served: &Served, name: &str) -> String {
    format!("http://{}/files/{name}", served.address)
}

fn open(served: &Served, name: &str) -> ndbytes::Result<RemoteFile> {
    RemoteFile::open(&url(served, name), &RemoteOptions::default().with_retries(0))
}

#[test]
fn every_format_is_read_by_position() {
    let served = Served::new();
    let bytes = bytes();
    let mut npz = ndbytes::NpzWriter::new(Vec::new());
    npz.add("a", &view(&bytes), ndbytes::Compression::Deflate(1)).unwrap();
    served.put("a.npz", &npz.finish().unwrap());
    served.put("a.npy", &dumps(&view(&bytes)).unwrap());
    served.put("a.ndb", &dump_frame(&view(&bytes), &FrameOptions::default()).unwrap());
    let limits = Limits::default();
    let npy = NpyReader::new(open(&served, "a.npy").unwrap(), &limits).unwrap();
    assert!(npy.read().unwrap().bytes() == bytes);
    let rows = npy.read_slice(&[100, 0], &[1, 1], &[2, 400]).unwrap();
    assert_eq!(rows.bytes(), &bytes[100 * 1600..102 * 1600]);
    let frame = FrameReader::new(open(&served, "a.ndb").unwrap(), &limits).unwrap();
    assert_eq!(frame.read_part(&[499, 0], &[1, 400]).unwrap().bytes(), &bytes[499 * 1600..]);
    let npz = NpzReader::new(open(&served, "a.npz").unwrap(), &limits).unwrap();
    assert!(npz.read("a").unwrap().bytes() == bytes);
}

#[test]
fn a_file_that_is_replaced_is_another() {
    let served = Served::new();
    served.put("a", &bytes());
    let file = open(&served, "a").unwrap();
    let mut buffer = vec![0; 400_000];
    assert_eq!(file.read_at(&mut buffer, 400_000).unwrap(), 400_000);
    assert!(buffer == bytes()[400_000..]);
    served.put("a", &vec![7; 800_000]);
    let error = file.read_at(&mut buffer, 400_000).unwrap_err();
    assert_eq!(ndbytes::Error::from(error).code(), Code::HttpChanged);
    let missing = open(&served, "b").unwrap_err();
    assert_eq!(missing.io().map(std::io::Error::kind), Some(std::io::ErrorKind::NotFound));
}

#[test]
fn what_is_put_is_there() {
    let served = Served::with(|options| options.write = true);
    let (options, unheard) = (RemoteOptions::default().with_retries(0), Progress::default());
    let bytes = bytes();
    let target = url(&served, "sub/a");
    let error = put(&target, &[&bytes], &options, &unheard).unwrap_err();
    assert!(error.message().contains("409"), "{error}");
    for parts in [&[][..], &[&b""[..]], &[b"abc"], &[b"", &bytes[..5], b"", &bytes[5..]]] {
        put(&url(&served, "a"), parts, &options, &unheard).unwrap();
        assert!(std::fs::read(served.folder.path().join("a")).unwrap() == parts.concat());
    }
    let error = put("ftp://a/b", &[], &options, &unheard).unwrap_err();
    assert_eq!(error.code(), Code::Argument);
}

#[test]
fn an_upload_that_is_cut_anywhere_never_was() {
    let served = Served::with(|options| options.write = true);
    let old = served.put("a", b"old");
    let request =
        b"PUT /files/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n01234567890123456789";
    for end in 0..request.len() {
        let mut peer = served.connect();
        peer.write_all(&request[..end]).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        // Until the server has done with it.
        let _ = peer.read_to_end(&mut Vec::new());
        assert_eq!(std::fs::read(&old).unwrap(), b"old", "{end}");
    }
    let mut peer = served.connect();
    peer.write_all(request).unwrap();
    let mut answer = [0; 12];
    peer.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 204");
    assert_eq!(std::fs::read(&old).unwrap(), b"01234567890123456789");
    assert_eq!(std::fs::read_dir(served.folder.path()).unwrap().count(), 1);
}
