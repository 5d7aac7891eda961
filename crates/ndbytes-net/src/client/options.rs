//! How files are fetched.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::signals::OnSignal;

/// How a [`RemoteFile`](super::RemoteFile) is fetched.
#[derive(Clone)]
#[non_exhaustive]
pub struct RemoteOptions {
    /// Fields that are sent with every request.
    pub headers: Vec<(String, String)>,
    /// A bearer token, which is sent to no other host, should the server name one.
    pub token: Option<String>,
    /// A PEM file of the authorities that certificates are checked against, in the place of the
    /// system's.
    pub authorities: Option<PathBuf>,
    /// How long a server may say nothing.
    pub timeout: Duration,
    /// How often something is tried again before it counts as failed. It begins anew with every byte
    /// that arrives.
    pub retries: u32,
    /// The most bytes that are kept of a file whose server gives no parts of it.
    pub whole: u64,
    /// What signals do while a server is waited for, to open a file or to send one.
    pub on_signal: Option<OnSignal>,
}

impl RemoteOptions {
    /// The same with a field that is sent with every request.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a bearer token.
    #[must_use]
    pub fn with_token(mut self, token: Option<String>) -> Self {
        self.token = token;
        self
    }

    /// The same with authorities of one's own.
    #[must_use]
    pub fn with_authorities(mut self, pem: Option<PathBuf>) -> Self {
        self.authorities = pem;
        self
    }

    /// The same with another time that a server may say nothing.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The same with more or fewer attempts.
    #[must_use]
    pub fn with_retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// The same with another limit of files that come whole.
    #[must_use]
    pub fn with_whole(mut self, bytes: u64) -> Self {
        self.whole = bytes;
        self
    }

    /// The same with what signals do while a server is waited for, to open a file or to send one.
    #[must_use]
    pub fn with_on_signal(mut self, on_signal: Option<OnSignal>) -> Self {
        self.on_signal = on_signal;
        self
    }
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self {
            headers: Vec::new(),
            token: None,
            authorities: None,
            timeout: Duration::from_secs(30),
            retries: 5,
            whole: 64 << 20,
            on_signal: None,
        }
    }
}

/// Without what is secret.
impl fmt::Debug for RemoteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("RemoteOptions")
            .field("headers", &names)
            .field("token", &self.token.is_some())
            .field("authorities", &self.authorities)
            .field("timeout", &self.timeout)
            .field("retries", &self.retries)
            .field("whole", &self.whole)
            .field("on_signal", &self.on_signal.is_some())
            .finish()
    }
}
