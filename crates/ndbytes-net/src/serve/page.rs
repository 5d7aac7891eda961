//! The page for browsers: three files, built from `web/`, the same for every path. They hold no
//! data; what they show they ask for as every other client does.

use super::content::Content;

/// What of the page a path names.
pub(super) fn content(path: &str) -> Option<Content> {
    let (kind, text) = match path {
        "/page/app.js" => ("text/javascript; charset=utf-8", include_str!("page/app.js")),
        "/page/app.css" => ("text/css; charset=utf-8", include_str!("page/app.css")),
        _ if path.starts_with("/view/") => {
            ("text/html; charset=utf-8", include_str!("page/index.html"))
        }
        _ => return None,
    };
    Some(Content::text(kind, text).with("content-security-policy", POLICY))
}

/// Scripts and data from here alone; no frame, form or base of anybody else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";
