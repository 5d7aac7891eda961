//! Certificates, tokens, and who is let in.

use std::path::{Path, PathBuf};

use ndbytes_net::serve::{ServeError, ServeOptions, Server, Tokens};

use crate::client::Served;

const TOKENS: &str = "reader read 0123456789abcdef\nwriter write fedcba9876543210\n\
                      old read 0000111122223333 2001-01-01T00:00:00Z\n";

/// A certificate of this machine's and its key.
pub(crate) fn certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (cert, key)
}

#[test]
fn a_token_is_needed_where_there_are_tokens() {
    let served = Served::with(|options| options.tokens = Some(Tokens::parse(TOKENS).unwrap()));
    served.put("a.npy", b"x");
    let bearer = |token: &str| served.ask("GET", "/files/a.npy", &[("Authorization", token)]);
    assert_eq!(bearer("Bearer 0123456789abcdef").status, 200);
    assert_eq!(bearer("bearer  0123456789abcdef").status, 200);
    let none = served.get("/files/a.npy");
    none.fails(401, "http.unauthorized");
    assert_eq!(none.header("www-authenticate"), "Bearer realm=\"ndbytes\"");
    for token in [
        "Bearer 0123456789abcdeF",
        "Bearer",
        "Bearer 0000111122223333",
        "Basic eDp5",
        "0123456789abcdef",
    ] {
        bearer(token).fails(401, "http.unauthorized");
    }
    bearer("Bearer fedcba9876543210").fails(403, "http.forbidden");
    for target in
        ["/metrics", "/openapi.json", "/zarr/zarr.json", "/arrays/a.npy", "/files/", "/nothing"]
    {
        served.get(target).fails(401, "http.unauthorized");
    }
    assert_eq!(served.get("/health").status, 200);
}

#[test]
fn nobody_is_let_in_by_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(folder.path());
    let options = |listen: &str| ServeOptions::new(folder.path(), listen.parse().unwrap());
    let refused = |options| {
        let error = Server::bind(options).unwrap_err();
        assert!(matches!(error, ServeError::Refused(_)), "{error}");
    };
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        refused(options(listen));
        let mut half = options(listen);
        half.tokens = Some(Tokens::parse(TOKENS).unwrap());
        refused(half.clone());
        half.tokens = None;
        half.tls = Some((cert.clone(), key.clone()));
        refused(half);
    }
    let mut open = options("127.0.0.1:0");
    open.tls = Some((key.clone(), cert.clone()));
    refused(open.clone());
    open.tls = Some((cert, key));
    assert!(Server::bind(open).unwrap().url().starts_with("https://127.0.0.1:"));
    let nowhere = ServeOptions::new(folder.path().join("none"), "127.0.0.1:0".parse().unwrap());
    assert!(matches!(Server::bind(nowhere), Err(ServeError::Io(..))));
}

/// A page whose name was made to mean this machine.
#[test]
fn other_names_are_refused_where_no_token_is_needed() {
    let served = Served::new();
    let host = |host: &str| {
        use std::io::{Read, Write};
        let mut stream = served.connect();
        let request = format!("GET /files/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        crate::client::Answer::parse(&bytes)
    };
    for good in ["localhost", "127.0.0.1:8080", "[::1]:80", "LOCALHOST:1"] {
        assert_eq!(host(good).status, 200, "{good}");
    }
    for bad in ["evil.example", "localhost.evil.example", "192.0.2.1", "127.0.0.1.nip.io"] {
        host(bad).fails(421, "http.host");
    }
}
