//! How a session goes.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ndbytes::Limits;

use crate::signals::OnSignal;
use crate::tokens::Tokens;

/// How either side of a session goes.
#[derive(Clone)]
#[non_exhaustive]
pub struct SessionOptions {
    /// How long nothing may move; any time unless given.
    pub timeout: Option<Duration>,
    /// What an array may have; checked before memory is taken.
    pub limits: Limits,
    /// Most bytes of an array that is held as a whole before anybody asks for it: one in a Zstandard
    /// frame. As many as the limits allow unless given.
    pub whole: u64,
    /// Send and expect arrays alone: for a peer with nothing but NumPy. Who listens need not be
    /// told.
    pub plain: bool,
    /// The token to show.
    pub token: Option<String>,
    /// Who may connect; whoever can reach it unless given.
    pub tokens: Option<Tokens>,
    /// PEM files of the certificate chain and its key, for who listens.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// A PEM file of the authorities that the peer's certificate is checked against, in the place of
    /// the system's.
    pub authorities: Option<PathBuf>,
    /// Whether other machines may be let in without tokens or without encryption, and tokens be
    /// shown without it.
    pub insecure: bool,
    /// Whether arrays are acknowledged when they have arrived; else by [`Link::ack`](super::Link::ack).
    pub ack: bool,
    /// Whether files are stored: what [`Link::next_unit`](super::Link::next_unit) is for.
    pub files: bool,
    /// Whether more may be read than was asked for yet: faster, where nothing else follows.
    pub read_ahead: bool,
    /// Most connections at once.
    pub max_connections: usize,
    /// How long a peer that knows arrays alone may take to end, after us: it has then read what was
    /// sent, or taken it back. Any time unless given.
    pub linger: Option<Duration>,
    /// What signals do.
    pub on_signal: Option<OnSignal>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            timeout: Some(Duration::from_secs(60)),
            limits: Limits::default().with_header(1 << 16).with_bytes(4 << 30),
            whole: u64::MAX,
            plain: false,
            token: None,
            tokens: None,
            certificate: None,
            authorities: None,
            insecure: false,
            ack: true,
            files: false,
            read_ahead: true,
            max_connections: 1024,
            linger: Some(Duration::from_millis(500)),
            on_signal: None,
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $field:ident, $type:ty;)*) => {
        impl SessionOptions {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(mut self, $field: $type) -> Self {
                self.$field = $field;
                self
            })*
        }
    };
}

setters! {
    /// The same with another time for which nothing may move.
    with_timeout: timeout, Option<Duration>;
    /// The same with other limits.
    with_limits: limits, Limits;
    /// The same with another limit of arrays that are held as a whole.
    with_whole: whole, u64;
    /// The same for a peer with nothing but NumPy, or not.
    with_plain: plain, bool;
    /// The same with a token to show.
    with_token: token, Option<String>;
    /// The same with those who may connect.
    with_tokens: tokens, Option<Tokens>;
    /// The same with a certificate chain and its key.
    with_certificate: certificate, Option<(PathBuf, PathBuf)>;
    /// The same with authorities of one's own.
    with_authorities: authorities, Option<PathBuf>;
    /// The same, letting in whoever comes, or not.
    with_insecure: insecure, bool;
    /// The same, acknowledging what has arrived, or what is said to be done.
    with_ack: ack, bool;
    /// The same, storing files or not.
    with_files: files, bool;
    /// The same, reading ahead or not.
    with_read_ahead: read_ahead, bool;
    /// The same with another number of connections.
    with_max_connections: max_connections, usize;
    /// The same with another time for a plain peer to end.
    with_linger: linger, Option<Duration>;
    /// The same with what signals do.
    with_on_signal: on_signal, Option<OnSignal>;
}

/// Without what is secret.
impl fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionOptions")
            .field("timeout", &self.timeout)
            .field("limits", &self.limits)
            .field("whole", &self.whole)
            .field("plain", &self.plain)
            .field("token", &self.token.is_some())
            .field("tokens", &self.tokens.is_some())
            .field("certificate", &self.certificate)
            .field("authorities", &self.authorities)
            .field("insecure", &self.insecure)
            .field("ack", &self.ack)
            .field("files", &self.files)
            .field("read_ahead", &self.read_ahead)
            .field("max_connections", &self.max_connections)
            .field("linger", &self.linger)
            .finish_non_exhaustive()
    }
}
