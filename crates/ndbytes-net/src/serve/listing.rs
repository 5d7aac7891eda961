//! What a folder holds: as JSON, and as a page.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::io;
use std::os::fd::OwnedFd;
use std::time::UNIX_EPOCH;

use ndbytes::ReadAt;
use serde_json::{Value, json};

use super::content::Content;
use super::problem::Problem;
use super::root::{Node, Root};
use crate::request::{RelativePath, encode_segment};

/// One page of a listing.
pub(super) struct Page<'a> {
    pub(super) path: &'a RelativePath,
    /// Only names that come after this one.
    pub(super) after: Option<&'a str>,
    pub(super) limit: usize,
}

struct Entry {
    name: Vec<u8>,
    folder: bool,
    bytes: u64,
    modified: u64,
}

impl Page<'_> {
    pub(super) fn content(
        &self,
        root: &Root,
        folder: &OwnedFd,
        html: bool,
    ) -> Result<Content, Problem> {
        let after = self.after.unwrap_or_default().as_bytes();
        let mut names = names(folder)?.into_iter().filter(|name| name.as_slice() > after);
        let mut entries = Vec::new();
        for name in names.by_ref() {
            entries.extend(self.entry(root, name));
            if entries.len() == self.limit {
                break;
            }
        }
        let more = names.next().is_some();
        let content = match html {
            true => Content::text("text/html; charset=utf-8", self.html(&entries, more))
                .with("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
            false => Content::text("application/json", format!("{}\n", self.json(&entries, more))),
        };
        Ok(content.with("vary", "accept"))
    }

    /// What is behind a name; nothing for what is not served.
    fn entry(&self, root: &Root, name: Vec<u8>) -> Option<Entry> {
        match root.node(&self.path.below(&name)).ok()? {
            Node::Folder(_) => Some(Entry { name, folder: true, bytes: 0, modified: 0 }),
            Node::File(source) => {
                let modified = source.stamp().modified().duration_since(UNIX_EPOCH);
                let bytes = source.size().unwrap_or_default();
                let modified = modified.unwrap_or_default().as_secs();
                Some(Entry { name, folder: false, bytes, modified })
            }
        }
    }

    fn href(&self, service: &str, entry: &Entry) -> String {
        let path = self.path.below(&entry.name).encode();
        format!("/{service}/{path}{}", if entry.folder { "/" } else { "" })
    }

    fn next(&self, entries: &[Entry]) -> String {
        let last = entries.last().map(|entry| encode_segment(&entry.name)).unwrap_or_default();
        format!("?after={last}&limit={}", self.limit)
    }

    fn json(&self, entries: &[Entry], more: bool) -> Value {
        let listed: Vec<Value> = entries
            .iter()
            .map(|entry| {
                let mut value = json!({
                    "name": String::from_utf8_lossy(&entry.name),
                    "kind": if entry.folder { "folder" } else { "file" },
                    "href": self.href("files", entry),
                });
                if !entry.folder {
                    value["nbytes"] = json!(entry.bytes);
                    value["modified"] = json!(entry.modified);
                }
                if !entry.folder && is_array(&entry.name) {
                    value["array"] = json!(self.href("arrays", entry));
                    value["zarr"] = json!(self.href("zarr", entry));
                }
                value
            })
            .collect();
        let mut value = json!({ "path": self.path.encode(), "entries": listed });
        if more {
            value["next"] = json!(self.next(entries));
        }
        value
    }

    fn html(&self, entries: &[Entry], more: bool) -> String {
        let names: Vec<_> =
            self.path.segments().iter().map(|name| String::from_utf8_lossy(name)).collect();
        let title = escape(&format!("/{}", names.join("/")));
        let below = self.path.segments().iter().map(|name| encode_segment(name) + "/");
        let view = below.collect::<String>();
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
             <style>:root{{color-scheme:light dark}}body{{font:15px/1.5 system-ui,sans-serif;\
             margin:2rem auto;max-width:60rem;padding:0 1rem}}table{{border-collapse:collapse;\
             width:100%}}td,th{{padding:.15rem .6rem;text-align:left}}\
             .n{{text-align:right;font-variant-numeric:tabular-nums}}</style></head>\n\
             <body><h1>{title}</h1>\n<p><a href=\"/view/{view}\">look into arrays</a></p>\n<table><thead><tr><th>name</th><th class=\"n\">bytes</th>\
             <th>array</th></tr></thead><tbody>\n"
        );
        if !self.path.segments().is_empty() {
            page.push_str("<tr><td><a href=\"../\">..</a></td><td></td><td></td></tr>\n");
        }
        for entry in entries {
            let name = escape(&String::from_utf8_lossy(&entry.name));
            let (slash, bytes) = match entry.folder {
                true => ("/", String::new()),
                false => ("", entry.bytes.to_string()),
            };
            let array = match !entry.folder && is_array(&entry.name) {
                true => format!(
                    "<a href=\"{}\">facts</a> <a href=\"{}\">view</a>",
                    self.href("arrays", entry),
                    self.href("view", entry)
                ),
                false => String::new(),
            };
            // Writing to a string does not fail.
            let _ = writeln!(
                page,
                "<tr><td><a href=\"{}\">{name}{slash}</a></td><td class=\"n\">{bytes}</td>\
                 <td>{array}</td></tr>",
                self.href("files", entry)
            );
        }
        page.push_str("</tbody></table>\n");
        if more {
            let next = escape(&self.next(entries));
            let _ = writeln!(page, "<p><a href=\"{next}\">more</a></p>");
        }
        page.push_str("</body></html>\n");
        page
    }
}

/// The names in a folder that are shown, sorted.
pub(super) fn names(folder: &OwnedFd) -> io::Result<BTreeSet<Vec<u8>>> {
    let mut names = BTreeSet::new();
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if !name.starts_with(b".") {
            names.insert(name.to_vec());
        }
    }
    Ok(names)
}

/// Whether a name is one of an array's file.
pub(super) fn is_array(name: &[u8]) -> bool {
    [&b".npy"[..], b".npz", b".ndb"].iter().any(|suffix| name.ends_with(suffix))
}

pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
