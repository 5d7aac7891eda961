//! Files, folders, and what is neither.

use std::os::unix::fs::symlink;

use crate::client::Served;

#[test]
fn a_file_is_given_whole_and_by_range() {
    let served = Served::new();
    let bytes: Vec<u8> = (0..2_000_000u32).map(|i| (i % 251) as u8).collect();
    served.put("sub/a b.bin", &bytes);
    let whole = served.get("/files/sub/a%20b.bin");
    assert_eq!((whole.status, whole.body == bytes), (200, true));
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header("content-length"), "2000000");
    let etag = whole.header("etag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 10);
    for (range, start, end) in [
        ("bytes=0-0", 0, 1),
        ("bytes=999999-1700000", 999_999, 1_700_001),
        ("bytes=-7", 1_999_993, 2_000_000),
    ] {
        let part = served.ask("GET", "/files/sub/a%20b.bin", &[("Range", range)]);
        assert_eq!((part.status, &part.body[..]), (206, &bytes[start..end]));
        let place = format!("bytes {start}-{}/2000000", end - 1);
        assert_eq!(part.header("content-range"), place);
    }
    let beyond = served.ask("GET", "/files/sub/a%20b.bin", &[("Range", "bytes=2000000-")]);
    beyond.fails(416, "http.range");
    assert_eq!(beyond.header("content-range"), "bytes */2000000");
    for (if_range, status) in
        [(etag.as_str(), 206), ("\"other\"", 200), (whole.header("last-modified"), 206)]
    {
        let headers = [("Range", "bytes=5-9"), ("If-Range", if_range)];
        assert_eq!(served.ask("GET", "/files/sub/a%20b.bin", &headers).status, status);
    }
    let head = served.ask("HEAD", "/files/sub/a%20b.bin", &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), "2000000");
    assert_eq!(head.header("etag"), etag);
}

#[test]
fn several_ranges_are_parts() {
    let served = Served::new();
    served.put("a.txt", b"0123456789");
    let answer = served.ask("GET", "/files/a.txt", &[("Range", "bytes=1-2, -3")]);
    assert_eq!(answer.status, 206);
    let kind = answer.header("content-type");
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let parts: Vec<&str> = answer.text().split(boundary).collect();
    assert_eq!(parts.len(), 4);
    assert!(parts[1].ends_with("Content-Range: bytes 1-2/10\r\n\r\n12\r\n--"), "{parts:?}");
    assert!(parts[2].ends_with("Content-Range: bytes 7-9/10\r\n\r\n789\r\n--"), "{parts:?}");
    assert_eq!(answer.header("content-length"), answer.body.len().to_string());
}

#[test]
fn a_version_has_its_etag() {
    let served = Served::new();
    let path = served.put("a.npy", b"one");
    let first = served.get("/files/a.npy");
    let etag = first.header("etag").to_owned();
    let again = served.ask("GET", "/files/a.npy", &[("If-None-Match", &etag)]);
    assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, etag.as_str()));
    let date = first.header("last-modified");
    assert_eq!(served.ask("GET", "/files/a.npy", &[("If-Modified-Since", date)]).status, 304);
    served.ask("GET", "/files/a.npy", &[("If-Match", "\"x\"")]).fails(412, "http.precondition");
    // The same size, and put in place as files are here.
    std::fs::write(path.with_extension("new"), b"two").unwrap();
    std::fs::rename(path.with_extension("new"), &path).unwrap();
    let changed = served.ask("GET", "/files/a.npy", &[("If-None-Match", &etag)]);
    assert_eq!((changed.status, &changed.body[..]), (200, &b"two"[..]));
    served.ask("GET", "/files/a.npy", &[("If-Match", &etag)]).fails(412, "http.precondition");
}

#[test]
fn digests_are_given_where_they_are_wanted() {
    let served = Served::new();
    served.put("a.json", b"{\"hello\": \"world\"}\n");
    assert_eq!(served.get("/files/a.json").header("repr-digest"), "");
    let want = [("Want-Repr-Digest", "sha-256=3, sha-512=1"), ("Want-Content-Digest", "sha-256=1")];
    let whole = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
    let answer = served.ask("GET", "/files/a.json", &want);
    assert_eq!(answer.header("repr-digest"), whole);
    assert_eq!(answer.header("content-digest"), whole);
    let part = [want[0], want[1], ("Range", "bytes=0-9")];
    let answer = served.ask("GET", "/files/a.json", &part);
    assert_eq!((answer.status, answer.header("repr-digest")), (206, whole));
    assert_ne!(answer.header("content-digest"), whole);
}

#[test]
fn folders_are_listed_and_paged() {
    let served = Served::new();
    for name in ["b.npy", "a<b>.txt", ".hidden", "sub/x"] {
        served.put(name, b"123");
    }
    symlink("/etc/passwd", served.folder.path().join("out")).unwrap();
    let listing = served.get("/files/");
    assert_eq!(listing.header("content-type"), "application/json");
    assert!(listing.text().contains("\"name\":\"b.npy\",\"nbytes\":3"), "{}", listing.text());
    assert!(listing.text().contains("\"zarr\":\"/zarr/b.npy\""));
    assert!(listing.text().contains("\"href\":\"/files/sub/\",\"kind\":\"folder\""));
    assert!(!listing.text().contains("hidden") && !listing.text().contains("out"));
    let page = served.ask("GET", "/files/", &[("Accept", "text/html")]);
    assert!(page.text().contains("a&lt;b&gt;.txt") && !page.text().contains("a<b>"));
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let first = served.get("/files/?limit=1");
    assert!(first.text().contains("\"next\":\"?after=a%3Cb%3E.txt&limit=1\""), "{}", first.text());
    let second = served.get("/files/?after=a%3Cb%3E.txt&limit=1");
    assert!(second.text().contains("b.npy") && !second.text().contains("a<b>"));
    let turned = served.get("/files/sub?limit=5");
    assert_eq!((turned.status, turned.header("location")), (308, "/files/sub/?limit=5"));
    served.get("/files/?limit=0").fails(400, "http.query");
    served.ask("GET", "/files/", &[("Accept", "image/png")]).fails(406, "http.not_acceptable");
}

#[test]
fn nothing_leads_out_of_the_folder() {
    let served = Served::new();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "s").unwrap();
    served.put("a/b.npy", b"x");
    symlink(outside.path(), served.folder.path().join("link")).unwrap();
    symlink("../..", served.folder.path().join("a/up")).unwrap();
    let name = outside.path().file_name().unwrap().to_str().unwrap();
    for service in ["files", "arrays", "zarr"] {
        for path in [
            format!("../{name}/secret"),
            format!("%2e%2e/{name}/secret"),
            format!("a/../../{name}/secret"),
            format!("a/..%2f..%2f{name}%2fsecret"),
            format!("/{}/secret", outside.path().display()),
            format!("a//../{name}/secret"),
            "a/b.npy%00".to_owned(),
            "%".to_owned(),
            ".%2e/x".to_owned(),
        ] {
            served.get(&format!("/{service}/{path}")).fails(400, "http.path");
        }
        for path in ["link/secret", "link", "a/up", "a/up/x", ".hidden", "a/.x/y", "a/b.npy/c"] {
            served.get(&format!("/{service}/{path}")).fails(404, "http.not_found");
        }
    }
    served.get("/").header("location").eq("/files/").then_some(()).unwrap();
    served.get("/nothing").fails(404, "http.not_found");
    for method in ["PUT", "POST", "DELETE", "PATCH", "OPTIONS", "MKCOL"] {
        let answer = served.ask(method, "/files/a/b.npy", &[]);
        answer.fails(405, "http.method");
        assert_eq!(answer.header("allow"), "GET, HEAD, PROPFIND");
    }
}
