//! The page for browsers: there for whoever asks, with nothing in it that is anybody's.

use crate::client::Served;

#[test]
fn a_browser_is_led_to_the_page() {
    let served = Served::new();
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let root = served.ask("GET", "/", &[("Accept", browser)]);
    assert_eq!((root.status, root.header("location")), (308, "/view/"));
    assert_eq!(root.header("vary"), "accept");
    assert_eq!(served.get("/").header("location"), "/files/");
    assert_eq!(served.ask("GET", "/", &[("Accept", "*/*")]).header("location"), "/files/");
    assert_eq!(served.get("/view").header("location"), "/view/");
    served.put("sub/a.npy", b"");
    let listing = served.ask("GET", "/files/sub/", &[("Accept", browser)]);
    assert!(listing.text().contains("href=\"/view/sub/\""), "{}", listing.text());
    assert!(listing.text().contains("href=\"/view/sub/a.npy\""), "{}", listing.text());
}

#[test]
fn the_page_is_the_same_for_every_path_and_needs_no_token() {
    let tokens = ndbytes_net::serve::Tokens::parse("a read 0123456789abcdef").unwrap();
    let served = Served::with(|options| options.tokens = Some(tokens));
    let page = served.get("/view/");
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!(served.get("/view/no/such.npy?slice=0").body, page.body);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"));
    assert!(!policy.contains("unsafe"), "{policy}");
    let etag = page.header("etag").to_owned();
    let again = served.ask("GET", "/view/a", &[("If-None-Match", &etag)]);
    assert_eq!(again.status, 304);
    for (path, kind) in [("/page/app.js", "text/javascript"), ("/page/app.css", "text/css")] {
        assert!(page.text().contains(path), "{}", page.text());
        let file = served.get(path);
        assert_eq!((file.status, file.header("content-type").split(';').next()), (200, Some(kind)));
    }
    served.get("/page/other.js").fails(401, "http.unauthorized");
    assert_eq!(served.ask("GET", "/", &[("Accept", "text/html")]).header("location"), "/view/");
    served.ask("PUT", "/view/", &[]).fails(405, "http.method");
}
