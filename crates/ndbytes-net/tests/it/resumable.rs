//! Uploads by tus: in parts, cut anywhere, gone on with, and a file at the end or none.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Answer, Served};

const VERSION: (&str, &str) = ("Tus-Resumable", "1.0.0");
const PART: (&str, &str) = ("Content-Type", "application/offset+octet-stream");
/// `sub/a.npy` in Base64.
const METADATA: (&str, &str) = ("Upload-Metadata", "path c3ViL2EubnB5");

fn served() -> Served {
    let served = Served::with(|options| {
        options.write = true;
        options.write_timeout = Duration::from_secs(5);
        options.max_upload = 1 << 20;
    });
    std::fs::create_dir(served.folder.path().join("sub")).unwrap();
    served
}

/// A request with a body; `len` is what it announces.
fn send(
    served: &Served,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    len: usize,
) -> Answer {
    let mut stream = served.connect();
    let mut head =
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in headers.iter().chain([&VERSION]) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let _ = stream.write_all(format!("{head}Content-Length: {len}\r\n\r\n").as_bytes());
    let _ = stream.write_all(body);
    if len > body.len() {
        stream.shutdown(Shutdown::Write).unwrap();
    }
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    match bytes.is_empty() {
        true => Answer { status: 0, headers: [].into(), body: bytes },
        false => Answer::parse(&bytes),
    }
}

fn create(served: &Served, len: usize, more: &[(&str, &str)]) -> String {
    let len = len.to_string();
    let headers = [&[("Upload-Length", len.as_str()), METADATA], more].concat();
    let answer = send(served, "POST", "/uploads/", &headers, b"", 0);
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("tus-resumable"), "1.0.0");
    answer.header("location").to_owned()
}

fn patch(served: &Served, at: &str, offset: usize, body: &[u8]) -> Answer {
    let offset = offset.to_string();
    send(served, "PATCH", at, &[PART, ("Upload-Offset", &offset)], body, body.len())
}

fn offset(served: &Served, at: &str) -> usize {
    let answer = served.ask("HEAD", at, &[VERSION]);
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.header("upload-offset").parse().unwrap()
}

/// What is in the folder of uploads.
fn kept(served: &Served) -> Vec<String> {
    let Ok(folder) = std::fs::read_dir(served.folder.path().join(".ndbytes-uploads")) else {
        return Vec::new();
    };
    let suffix = |name: std::ffi::OsString| name.into_string().unwrap()[32..].to_owned();
    let mut names: Vec<_> = folder.map(|entry| suffix(entry.unwrap().file_name())).collect();
    names.sort();
    names
}

fn file(served: &Served) -> Option<Vec<u8>> {
    std::fs::read(served.folder.path().join("sub/a.npy")).ok()
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}

#[test]
fn what_there_is_of_tus_is_told() {
    let served = served();
    let answer = served.ask("OPTIONS", "/uploads/", &[]);
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("tus-version"), "1.0.0");
    assert_eq!(answer.header("tus-max-size"), "1048576");
    assert!(answer.header("tus-extension").contains("creation"));
    assert_eq!(answer.header("tus-checksum-algorithm"), "sha1,sha256");
    served.ask("POST", "/uploads/", &[]).fails(412, "http.tus");
    let old = [("Tus-Resumable", "0.2.2")];
    assert_eq!(served.ask("POST", "/uploads/", &old).header("tus-version"), "1.0.0");
    served.ask("GET", "/uploads/", &[VERSION]).fails(405, "http.method");
    served.ask("PATCH", "/uploads/", &[VERSION]).fails(405, "http.method");
    Served::new().get("/uploads/").fails(404, "http.not_found");
}

#[test]
fn a_file_comes_in_parts_and_is_there_when_it_is_whole() {
    let served = served();
    let all = bytes(1000);
    let at = create(&served, all.len(), &[]);
    assert_eq!(patch(&served, &at, 0, &all[..400]).header("upload-offset"), "400");
    assert_eq!((offset(&served, &at), file(&served)), (400, None));
    patch(&served, &at, 399, b"x").fails(409, "http.conflict");
    patch(&served, &at, 400, &bytes(601)).fails(413, "http.too_large");
    let last = patch(&served, &at, 400, &all[400..]);
    assert_eq!((last.status, last.header("upload-offset")), (204, "1000"));
    assert_eq!(last.header("etag"), served.get("/files/sub/a.npy").header("etag"));
    assert_eq!(file(&served), Some(all.clone()));
    // A client that has not heard of it asks, and is told that nothing is left to send.
    assert_eq!(offset(&served, &at), 1000);
    assert_eq!(patch(&served, &at, 1000, b"").status, 204);
    assert_eq!(kept(&served), [".json"]);
    assert_eq!(send(&served, "DELETE", &at, &[], b"", 0).status, 204);
    assert_eq!(kept(&served), [""; 0]);
    served.ask("HEAD", &at, &[VERSION]);
    assert_eq!(file(&served), Some(all));
}

#[test]
fn a_cut_at_any_byte_loses_nothing() {
    let served = served();
    let all = bytes(60);
    for cut in 0..all.len() {
        let at = create(&served, all.len(), &[("If-None-Match", "*")]);
        let headers = [PART, ("Upload-Offset", "0")];
        send(&served, "PATCH", &at, &headers, &all[..cut], all.len());
        // The next request waits until the one that was cut has ended.
        assert_eq!((offset(&served, &at), file(&served)), (cut, None));
        assert_eq!(patch(&served, &at, cut, &all[cut..]).status, 204);
        assert_eq!(file(&served), Some(all.clone()));
        std::fs::remove_file(served.folder.path().join("sub/a.npy")).unwrap();
    }
}

#[test]
fn the_first_part_may_come_with_the_beginning() {
    let served = served();
    let headers = [("Upload-Length", "5"), METADATA, PART];
    let answer = send(&served, "POST", "/uploads", &headers, b"abc", 3);
    assert_eq!((answer.status, answer.header("upload-offset")), (201, "3"));
    let at = answer.header("location").to_owned();
    assert_eq!(patch(&served, &at, 3, b"de").status, 204);
    assert_eq!(file(&served).unwrap(), b"abcde");
    let whole = send(&served, "POST", "/uploads/", &headers, b"fghij", 5);
    assert_eq!((whole.status, file(&served).unwrap()), (201, b"fghij".to_vec()));
    // Nothing at all is a file as well.
    create(&served, 0, &[]);
    assert_eq!(file(&served).unwrap(), b"");
}

#[test]
fn a_part_with_another_checksum_does_not_stay() {
    let served = served();
    let at = create(&served, 11, &[]);
    let send_sum = |body: &[u8], offset: &str, sum: &str, len: usize| {
        let headers = [PART, ("Upload-Offset", offset), ("Upload-Checksum", sum)];
        send(&served, "PATCH", &at, &headers, body, len)
    };
    let sha1 = "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=";
    assert_eq!(send_sum(b"hello world", "0", sha1, 12).status, 413);
    send_sum(b"Hello world", "0", sha1, 11).fails(460, "http.checksum");
    assert_eq!(offset(&served, &at), 0);
    send_sum(b"hello", "0", sha1, 11);
    assert_eq!(offset(&served, &at), 0, "it was cut: nobody knows whether it is right");
    send_sum(b"hello world", "0", "md5 XrY7u+Ae7tCTyyK7j1rNww==", 11).fails(400, "http.upload");
    assert_eq!(send_sum(b"hello world", "0", sha1, 11).status, 204);
    assert_eq!(file(&served).unwrap(), b"hello world");
}

#[test]
fn conditions_and_digests_count_when_the_file_takes_its_name() {
    let served = served();
    let digest = "sha-256=:uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=:";
    let at = create(&served, 11, &[("Repr-Digest", digest)]);
    patch(&served, &at, 0, b"Hello world").fails(400, "http.digest");
    assert_eq!((offset(&served, &at), file(&served)), (0, None));
    assert_eq!(patch(&served, &at, 0, b"hello world").status, 204);
    let create_only = [("Upload-Length", "1"), METADATA, ("If-None-Match", "*")];
    send(&served, "POST", "/uploads/", &create_only, b"", 0).fails(412, "http.precondition");
    std::fs::remove_file(served.folder.path().join("sub/a.npy")).unwrap();
    let at = create(&served, 1, &create_only[2..]);
    served.put("sub/a.npy", b"somebody was faster");
    patch(&served, &at, 0, b"x").fails(412, "http.precondition");
    assert_eq!(file(&served).unwrap(), b"somebody was faster");
}

#[test]
fn what_is_no_upload_is_refused() {
    let served = served();
    let post = |headers: &[(&str, &str)]| send(&served, "POST", "/uploads/", headers, b"", 0);
    let len = ("Upload-Length", "1");
    // ../x, /x, a key twice, and no Base64 at all; then .x, nothing, sub and a/b.
    for metadata in ["path Li4veA==", "path L3g=", "path eA==,path eA==", "path !", "x eA=="] {
        let status = post(&[len, ("Upload-Metadata", metadata)]).status;
        assert_eq!(status, 400, "{metadata}");
    }
    post(&[len, ("Upload-Metadata", "path Lng=")]).fails(404, "http.not_found");
    post(&[len, ("Upload-Metadata", "path")]).fails(400, "http.upload");
    post(&[len, ("Upload-Metadata", "path c3Vi")]).fails(409, "http.conflict");
    post(&[len, ("Upload-Metadata", "path YS9i")]).fails(409, "http.conflict");
    post(&[METADATA]).fails(400, "http.upload");
    post(&[METADATA, ("Upload-Length", "-1")]).fails(400, "http.upload");
    post(&[METADATA, ("Upload-Length", "1048577")]).fails(413, "http.too_large");
    for id in ["x", "../sub", &"0".repeat(32), &"g".repeat(32), "%2e%2e"] {
        let at = format!("/uploads/{id}");
        assert!(matches!(served.ask("HEAD", &at, &[VERSION]).status, 404), "{id}");
        patch(&served, &at, 0, b"x").fails(404, "http.not_found");
    }
    let at = create(&served, 3, &[]);
    let no_type = [("Upload-Offset", "0")];
    send(&served, "PATCH", &at, &no_type, b"abc", 3).fails(415, "http.body");
    send(&served, "PATCH", &at, &[PART], b"abc", 3).fails(400, "http.upload");
    let overridden = [("X-HTTP-Method-Override", "PATCH"), PART, ("Upload-Offset", "0")];
    assert_eq!(send(&served, "POST", &at, &overridden, b"abc", 3).status, 204);
    assert_eq!(served.get("/files/.ndbytes-uploads/").status, 404);
}

#[test]
fn who_comes_again_need_not_wait_for_who_is_gone() {
    let served = served();
    let at = create(&served, 1000, &[]);
    let mut lost = served.connect();
    let head = format!(
        "PATCH {at} HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n\
         Content-Type: application/offset+octet-stream\r\nContent-Length: 1000\r\n\r\n"
    );
    lost.write_all(head.as_bytes()).unwrap();
    lost.write_all(&bytes(1000)[..300]).unwrap();
    thread::sleep(Duration::from_millis(200));
    let begin = Instant::now();
    assert_eq!(offset(&served, &at), 300);
    assert_eq!(patch(&served, &at, 300, &bytes(1000)[300..]).status, 204);
    assert!(begin.elapsed() < Duration::from_secs(3));
    assert_eq!(file(&served), Some(bytes(1000)));
    // The one that was stopped is told so, if it is there still.
    let mut answer = Vec::new();
    lost.read_to_end(&mut answer).unwrap();
    Answer::parse(&answer).fails(409, "http.conflict");
}

#[test]
fn a_server_that_begins_again_goes_on() {
    let first = served();
    let at = create(&first, 10, &[]);
    assert_eq!(patch(&first, &at, 0, b"01234").status, 204);
    let root = first.folder.path().to_owned();
    let second = Served::with(|options| {
        options.root = root;
        options.write = true;
    });
    assert_eq!(offset(&second, &at), 5);
    assert_eq!(patch(&second, &at, 5, b"56789").status, 204);
    assert_eq!(file(&first).unwrap(), b"0123456789");
}

#[test]
fn what_is_old_is_forgotten() {
    let served = served();
    let at = create(&served, 10, &[]);
    let done = create(&served, 0, &[]);
    let kept_before = kept(&served);
    assert_eq!(kept_before, [".json", ".json", ".part"]);
    let ago = |hours: u64| std::time::SystemTime::now() - Duration::from_secs(hours * 3600);
    let set = |name: String, hours| {
        let path = served.folder.path().join(".ndbytes-uploads").join(name);
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(ago(hours)).unwrap();
    };
    let id = |at: &str| at.rsplit('/').next().unwrap().to_owned();
    assert_eq!(offset(&served, &done), 0);
    set(format!("{}.json", id(&done)), 2);
    set(format!("{}.json", id(&at)), 30);
    set(format!("{}.part", id(&at)), 23);
    create(&served, 10, &[]);
    assert_eq!(served.ask("HEAD", &done, &[VERSION]).status, 404);
    assert_eq!(offset(&served, &at), 0);
    set(format!("{}.part", id(&at)), 25);
    create(&served, 10, &[]);
    assert_eq!(served.ask("HEAD", &at, &[VERSION]).status, 404);
    assert_eq!(kept(&served).len(), 4);
}

#[test]
fn an_upload_belongs_to_its_token() {
    let tokens =
        "alice write 0123456789abcdef\nbob write fedcba9876543210\nread read readreadreadread";
    let served = Served::with(|options| {
        options.write = true;
        options.tokens = Some(ndbytes_net::serve::Tokens::parse(tokens).unwrap());
    });
    std::fs::create_dir(served.folder.path().join("sub")).unwrap();
    let alice = ("Authorization", "Bearer 0123456789abcdef");
    let bob = ("Authorization", "Bearer fedcba9876543210");
    let reader = ("Authorization", "Bearer readreadreadread");
    let post = |who: &[(&str, &str)]| {
        send(
            &served,
            "POST",
            "/uploads/",
            &[&[("Upload-Length", "3"), METADATA], who].concat(),
            b"",
            0,
        )
    };
    post(&[]).fails(401, "http.unauthorized");
    post(&[reader]).fails(403, "http.forbidden");
    let at = post(&[alice]).header("location").to_owned();
    let part = [PART, ("Upload-Offset", "0")];
    let patch = |who| send(&served, "PATCH", &at, &[part[0], part[1], who], b"abc", 3);
    patch(bob).fails(404, "http.not_found");
    assert_eq!(patch(alice).status, 204);
    assert_eq!(file(&served).unwrap(), b"abc");
}

#[test]
fn who_hears_that_all_came_has_a_file() {
    let served = served();
    let at = create(&served, 5, &[]);
    // In chunks, whose end does not come.
    let mut cut = served.connect();
    let head = format!(
        "PATCH {at} HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n\
         Content-Type: application/offset+octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nabcde\r\n"
    );
    cut.write_all(head.as_bytes()).unwrap();
    thread::sleep(Duration::from_millis(200));
    drop(cut);
    assert_eq!(offset(&served, &at), 5);
    assert_eq!(file(&served).unwrap(), b"abcde");
    // It stays so when the file is another's, or gone.
    std::fs::remove_file(served.folder.path().join("sub/a.npy")).unwrap();
    assert_eq!(offset(&served, &at), 5);
    let again = patch(&served, &at, 5, b"");
    assert_eq!((again.status, again.header("etag")), (204, ""));
    assert_eq!(file(&served), None);
    // Where it cannot take its name, that is said.
    let at = create(&served, 1, &[("If-None-Match", "*")]);
    served.put("sub/a.npy", b"somebody was faster");
    patch(&served, &at, 0, b"x").fails(412, "http.precondition");
    assert_eq!(served.ask("HEAD", &at, &[VERSION]).status, 412);
}

#[test]
fn what_was_not_known_to_be_right_when_a_server_died_is_gone() {
    let served = served();
    let at = create(&served, 10, &[]);
    assert_eq!(patch(&served, &at, 0, b"01234").status, 204);
    let id = at.rsplit('/').next().unwrap();
    let uploads = served.folder.path().join(".ndbytes-uploads");
    // As it is left in the middle of a part with a checksum.
    std::fs::write(uploads.join(format!("{id}.part")), b"012345xx").unwrap();
    std::fs::write(uploads.join(format!("{id}.from")), b"5").unwrap();
    assert_eq!(offset(&served, &at), 5);
    assert_eq!(kept(&served), [".json", ".part"]);
    assert_eq!(patch(&served, &at, 5, b"56789").status, 204);
    assert_eq!(file(&served).unwrap(), b"0123456789");
}

#[test]
fn what_is_refused_at_once_leaves_nothing() {
    let served = served();
    let post = |more: &[(&str, &str)], body: &[u8]| {
        let headers = [&[("Upload-Length", "3"), METADATA, PART], more].concat();
        send(&served, "POST", "/uploads/", &headers, body, body.len())
    };
    post(&[], b"abcd").fails(413, "http.too_large");
    post(&[("Upload-Offset", "1")], b"abc").fails(409, "http.conflict");
    post(&[("Upload-Checksum", "md5 YQ==")], b"abc").fails(400, "http.upload");
    assert_eq!(kept(&served), [""; 0]);
    // What is found out later can be gone on with.
    let wrong = post(&[("Upload-Checksum", "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=")], b"abc");
    wrong.fails(460, "http.checksum");
    assert_eq!(offset(&served, wrong.header("location")), 0);
    assert_eq!(patch(&served, wrong.header("location"), 0, b"abc").status, 204);
    let folder = [("Upload-Length", "3"), ("Upload-Metadata", "path c3ViLw==")];
    send(&served, "POST", "/uploads/", &folder, b"", 0).fails(400, "http.upload");
}
