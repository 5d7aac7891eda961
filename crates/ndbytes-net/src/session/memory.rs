//! Memory that is handed from process to process on one machine: an `.npy` file without a name, whose
//! descriptor travels over a Unix socket.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use ndbytes::{Code, Error, Header, Limits, Result, Section, read_header};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::inner::lock;
use super::patience::Patience;

/// An array in memory that other processes may map: the file that it is, its header, and where its
/// elements begin. It lasts as long as anybody has it open or mapped.
#[derive(Debug)]
pub struct SharedFile {
    file: File,
    header: Header,
    offset: u64,
}

impl SharedFile {
    /// Memory for an array of this header, all zeros. Its size is sealed.
    ///
    /// # Errors
    /// [`Code::Io`].
    pub fn create(header: &Header) -> Result<Self> {
        let head = header.encode()?;
        let fd = memfd_create("ndbytes", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING);
        let mut file = File::from(fd.map_err(io::Error::from)?);
        file.set_len((head.len() + header.nbytes()) as u64)?;
        file.write_all(&head)?;
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)
            .map_err(io::Error::from)?;
        Ok(Self { file, header: header.clone(), offset: head.len() as u64 })
    }

    /// What is in a file that came from somewhere.
    ///
    /// # Errors
    /// [`Code::StreamRecord`] for a file whose end may move, which would kill those who have it mapped;
    /// what is wrong with its header.
    pub fn open(file: File, limits: &Limits) -> Result<Self> {
        let sealed = fcntl_get_seals(&file).is_ok_and(|seals| seals.contains(SealFlags::SHRINK));
        if !sealed {
            let message = "a file that may become shorter cannot be shared: it must be sealed";
            return Err(Error::new(Code::StreamRecord, message));
        }
        let size = file.metadata()?.len();
        let mut source = Section::new(&file, 0, size);
        let (header, len) = read_header(&mut source, limits)?;
        let (offset, total) = (len as u64, len as u64 + header.nbytes() as u64);
        if total != size {
            let message = format!("shared memory of {size} bytes holds an array of {total}");
            return Err(Error::new(Code::StreamRecord, message));
        }
        Ok(Self { file, header, offset })
    }

    /// Dtype, order and shape.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where the elements begin.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The file, to be mapped.
    pub fn into_file(self) -> File {
        self.file
    }

    /// The elements, to be read.
    pub(super) fn elements(&self) -> impl Read + '_ {
        Section::new(&self.file, self.offset, self.header.nbytes() as u64)
    }

    pub(super) fn size(&self) -> u64 {
        self.offset + self.header.nbytes() as u64
    }
}

/// Descriptors that come over a Unix socket, and go.
pub(super) struct Descriptors {
    socket: Arc<UnixStream>,
    patience: Patience,
    come: Mutex<VecDeque<OwnedFd>>,
}

/// Reads a Unix socket, and keeps what descriptors come with its bytes.
pub(super) struct Reader(pub(super) Arc<Descriptors>);

impl Descriptors {
    pub(super) fn new(socket: &Arc<UnixStream>, patience: &Patience) -> Self {
        let come = Mutex::default();
        Self { socket: socket.clone(), patience: patience.clone(), come }
    }

    /// The next that came.
    pub(super) fn next(&self) -> Option<OwnedFd> {
        lock(&self.come).pop_front()
    }

    /// Sends bytes, and a descriptor with the first of them.
    pub(super) fn send(&self, mut bytes: &[u8], fd: BorrowedFd<'_>) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let fds = [fd];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&fds));
        while !bytes.is_empty() {
            let sent = self.patience.patiently("took nothing", || {
                let parts = [IoSlice::new(bytes)];
                Ok(sendmsg(self.socket.as_fd(), &parts, &mut control, SendFlags::NOSIGNAL)?)
            })?;
            bytes = &bytes[sent..];
            // Once is enough.
            control.clear();
        }
        Ok(())
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let own = &*self.0;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let read = own.patience.patiently("sent nothing", || {
            let parts = &mut [IoSliceMut::new(buffer)];
            let flags = RecvFlags::CMSG_CLOEXEC;
            Ok(recvmsg(own.socket.as_fd(), parts, &mut control, flags)?.bytes)
        })?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                let mut come = lock(&own.come);
                for fd in fds {
                    // More than anybody has said would come are closed.
                    if come.len() < MOST {
                        come.push_back(fd);
                    }
                }
            }
        }
        Ok(read)
    }
}

/// Descriptors that came before the records that tell of them.
const MOST: usize = 64;
