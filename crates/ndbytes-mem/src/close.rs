//! Closing a file with its error.

use std::fs::File;
use std::io;

/// Closes the file and reports what `close(2)` does: on network file systems and under quotas a
/// lost write may first show here, and the standard library drops it.
///
/// # Errors
/// What the operating system said.
pub fn close(file: File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::fd::IntoRawFd;
        let fd = file.into_raw_fd();
        // SAFETY: `into_raw_fd` gave up the ownership of an open descriptor, and nobody else
        // closes it.
        unsafe { rustix::io::try_close(fd) }.map_err(Into::into)
    }
    #[cfg(not(unix))]
    {
        drop(file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn closes_without_complaint() {
        let file = std::fs::File::open("/dev/null");
        if let Ok(file) = file {
            super::close(file).unwrap();
        }
    }
}
