//! Files that are sent.

use std::io::{self, Read};

use ndbytes::{Error, Progress, Result};

use super::RemoteOptions;
use super::link::Link;
use super::remote::checked;

/// Sends a file, whose bytes are these parts one after another, to this `http://` or `https://` URL
/// by PUT. Where it fails for a moment, all of it is sent again: the file that it becomes is the same.
///
/// # Errors
/// What the server, the network or the certificate said, after so many attempts as the options have
/// it; what [`Progress`] said, which is told the bytes that are sent, and begins anew where they are;
/// [`Code::Argument`](ndbytes::Code::Argument) for another kind of URL.
pub fn put(url: &str, parts: &[&[u8]], options: &RemoteOptions, progress: &Progress) -> Result<()> {
    let link = Link::new(checked(url)?, options)?;
    let len = parts.iter().map(|part| part.len() as u64).sum();
    let mut patience = link.patience();
    loop {
        let (parts, progress) = (parts.to_vec(), progress.clone());
        let mut body = Sent { parts, done: 0, len, progress, ended: None };
        let sent = link.put(len, &mut body);
        if let Some(error) = body.ended {
            return Err(error);
        }
        match link.interrupt().end(sent)? {
            Ok(()) => return Ok(()),
            Err(trouble) => patience.wait(trouble)?,
        }
    }
}

/// The bytes as a reader.
struct Sent<'a> {
    parts: Vec<&'a [u8]>,
    done: u64,
    len: u64,
    progress: Progress,
    ended: Option<Error>,
}

impl Read for Sent<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.parts.first().is_some_and(|part| part.is_empty()) {
            self.parts.remove(0);
        }
        let Some(part) = self.parts.first_mut() else { return Ok(0) };
        let n = part.read(buffer)?;
        self.done += n as u64;
        // Before they are sent: whoever ends the work at the last of them leaves what was there.
        if let Err(error) = self.progress.tell(self.done, self.len) {
            self.ended = Some(error);
            return Err(io::Error::other("the work was ended"));
        }
        Ok(n)
    }
}
