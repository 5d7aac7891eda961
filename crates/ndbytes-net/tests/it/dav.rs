//! Listing, making and removing, by the words of WebDAV.

use ndbytes_net::serve::{ServeOptions, Tokens};

use crate::client::Served;

fn writable(options: &mut ServeOptions) {
    options.write = true;
    options.delete = true;
}

#[test]
fn properties_are_those_of_what_is_there() {
    let served = Served::new();
    served.put("sub/a & b.npy", b"12345");
    served.put("sub/.hidden", b"x");
    served.put("sub/deeper/c.npy", b"x");
    let tag = served.get("/files/sub/a%20%26%20b.npy").header("etag").to_owned();
    let found = served.ask("PROPFIND", "/files/sub", &[("Depth", "1")]);
    assert_eq!(found.status, 207, "{}", found.text());
    assert_eq!(found.header("content-type"), "application/xml; charset=utf-8");
    let text = found.text();
    assert_eq!(text.matches("<D:response>").count(), 3, "{text}");
    assert!(text.contains("<D:href>/files/sub/a%20%26%20b.npy</D:href>"), "{text}");
    assert!(text.contains("<D:href>/files/sub/</D:href>"));
    assert!(text.contains("<D:href>/files/sub/deeper/</D:href>"));
    assert!(text.contains("<D:displayname>a &amp; b.npy</D:displayname>"));
    assert!(text.contains("<D:getcontentlength>5</D:getcontentlength>"));
    assert!(text.contains(&format!("<D:getetag>{tag}</D:getetag>")));
    assert_eq!(text.matches("<D:collection/>").count(), 2);
    let one = served.ask("PROPFIND", "/files/", &[("Depth", "0")]);
    assert_eq!(one.text().matches("<D:response>").count(), 1);
    assert!(one.text().contains("<D:href>/files/</D:href>"));
    served.ask("PROPFIND", "/files/no", &[("Depth", "0")]).fails(404, "http.not_found");
    served.ask("PROPFIND", "/files/../", &[("Depth", "0")]).fails(400, "http.path");
    for depth in ["2", ""] {
        served.ask("PROPFIND", "/files/", &[("Depth", depth)]).fails(400, "http.depth");
    }
    // All that is below, and no link that leads back.
    let link = served.folder.path().join("sub/deeper/up");
    std::os::unix::fs::symlink("..", link).unwrap();
    for headers in [&[("Depth", "infinity")][..], &[]] {
        let all = served.ask("PROPFIND", "/files", headers);
        assert_eq!(all.text().matches("<D:response>").count(), 6, "{}", all.text());
        assert!(all.text().contains("/files/sub/deeper/c.npy"));
    }
}

#[test]
fn folders_are_made() {
    let served = Served::with(writable);
    let make = |path: &str| served.ask("MKCOL", path, &[]);
    assert_eq!(make("/files/new/").status, 201);
    assert_eq!(make("/files/new/deeper").status, 201);
    assert!(served.folder.path().join("new/deeper").is_dir());
    make("/files/new").fails(405, "http.method");
    make("/files/no/deeper").fails(409, "http.conflict");
    make("/files/").fails(405, "http.method");
    make("/files/.hidden").fails(404, "http.not_found");
    make("/files/a/../b").fails(400, "http.path");
    let body = served.ask("MKCOL", "/files/other", &[("Content-Length", "0")]);
    assert_eq!(body.status, 201);
    served.put("file", b"x");
    make("/files/file/b").fails(409, "http.conflict");
    make("/files/file").fails(405, "http.method");
}

#[test]
fn what_is_removed_is_gone() {
    let served = Served::with(writable);
    served.put("sub/a.npy", b"x");
    served.put("sub/b.npy", b"x");
    let remove = |path: &str, headers: &[(&str, &str)]| served.ask("DELETE", path, headers);
    remove("/files/sub", &[]).fails(409, "http.conflict");
    remove("/files/sub/a.npy", &[("If-Match", "\"other\"")]).fails(412, "http.precondition");
    let tag = served.get("/files/sub/a.npy").header("etag").to_owned();
    assert_eq!(remove("/files/sub/a.npy", &[("If-Match", &tag)]).status, 204);
    remove("/files/sub/a.npy", &[]).fails(404, "http.not_found");
    remove("/files/sub/b.npy/", &[]).fails(404, "http.not_found");
    assert_eq!(remove("/files/sub/b.npy", &[]).status, 204);
    assert_eq!(remove("/files/sub/", &[]).status, 204);
    assert!(!served.folder.path().join("sub").exists());
    remove("/files/", &[]).fails(405, "http.method");
    remove("/files/no", &[]).fails(404, "http.not_found");
}

#[test]
fn links_do_not_lead_out() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("a"), "x").unwrap();
    let served = Served::with(writable);
    let link = served.folder.path().join("out");
    std::os::unix::fs::symlink(outside.path(), &link).unwrap();
    std::os::unix::fs::symlink(outside.path().join("a"), served.folder.path().join("file"))
        .unwrap();
    for (method, path) in [
        ("DELETE", "/files/out/a"),
        ("DELETE", "/files/file"),
        ("MKCOL", "/files/out/new"),
        ("PROPFIND", "/files/out/"),
    ] {
        let answer = served.ask(method, path, &[("Depth", "1")]);
        assert!([404, 409].contains(&answer.status), "{method} {path} {}", answer.status);
    }
    let names: Vec<_> = std::fs::read_dir(outside.path()).unwrap().collect();
    assert_eq!(names.len(), 1);
    assert!(!served.ask("PROPFIND", "/files/", &[("Depth", "1")]).text().contains("out"));
}

#[test]
fn nothing_is_changed_where_that_is_not_allowed() {
    let served = Served::with(|options| options.write = true);
    served.put("a.npy", b"x");
    let refused = served.ask("DELETE", "/files/a.npy", &[]);
    refused.fails(405, "http.method");
    assert_eq!(refused.header("allow"), "GET, HEAD, PROPFIND, PUT, MKCOL");
    let served = Served::new();
    served.put("a.npy", b"x");
    for method in ["DELETE", "MKCOL", "PROPPATCH", "COPY"] {
        let refused = served.ask(method, "/files/a.npy", &[]);
        refused.fails(405, "http.method");
        assert_eq!(refused.header("allow"), "GET, HEAD, PROPFIND");
    }
    served.ask("PROPFIND", "/health", &[]).fails(405, "http.method");
    let served = Served::with(|options| {
        writable(options);
        let tokens = "reader read 0123456789abcdef\nwriter read,write fedcba9876543210\n";
        options.tokens = Some(Tokens::parse(tokens).unwrap());
    });
    served.put("a.npy", b"x");
    let ask = |method: &str, path: &str, token: &str| {
        let token = format!("Bearer {token}");
        served.ask(method, path, &[("Authorization", &token), ("Depth", "0")])
    };
    served.ask("PROPFIND", "/files/", &[("Depth", "0")]).fails(401, "http.unauthorized");
    assert_eq!(ask("PROPFIND", "/files/", "0123456789abcdef").status, 207);
    ask("DELETE", "/files/a.npy", "0123456789abcdef").fails(403, "http.forbidden");
    ask("MKCOL", "/files/new", "0123456789abcdef").fails(403, "http.forbidden");
    assert_eq!(ask("MKCOL", "/files/new", "fedcba9876543210").status, 201);
    assert_eq!(ask("DELETE", "/files/a.npy", "fedcba9876543210").status, 204);
}
