//! Real sockets, on loopback.

use std::io::{ErrorKind as IoKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use ndbytes::{
    Array, Code, ErrorKind, Header, Limits, Order, Strided, dumps, recv, recv_into, send,
};
use ndbytes_testkit::arrays::{Case, Layout, table};

use crate::assert_same;

/// Long enough for any machine; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    for socket in [&near, &far] {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
    }
    (near, far)
}

/// Sends the table from a thread and receives it here.
fn table_through(mut sink: impl Write + Send + 'static, mut source: impl Read) {
    let sender = thread::spawn(move || {
        for case in table() {
            send(&mut sink, &case.view()).unwrap();
        }
    });
    for case in table() {
        let array = recv(&mut source, &Limits::default()).unwrap().unwrap();
        assert_same(&array.view(), &case.view(), &case.name);
    }
    sender.join().unwrap();
    assert!(recv(&mut source, &Limits::default()).unwrap().is_none());
}

fn big() -> Case {
    // More than any socket's buffers hold.
    Case::new(&"<f8".parse().unwrap(), &[700, 1500], Layout::F)
}

#[test]
fn the_whole_table_goes_over_tcp() {
    let (near, far) = tcp();
    table_through(near, far);
}

#[cfg(unix)]
#[test]
fn the_whole_table_goes_over_a_unix_socket() {
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    table_through(near, far);
}

#[test]
fn the_whole_table_goes_through_a_pipe() {
    let (source, sink) = std::io::pipe().unwrap();
    table_through(sink, source);
}

#[test]
fn an_array_larger_than_every_buffer_arrives_whole() {
    for layout in Layout::ALL {
        let case = Case::new(&"<f4".parse().unwrap(), &[1200, 1000], layout);
        let (mut near, mut far) = tcp();
        let sent = case.clone();
        let sender = thread::spawn(move || send(&mut near, &sent.view()).unwrap());
        let array = recv(&mut far, &Limits::default()).unwrap().unwrap();
        assert_same(&array.view(), &case.view(), &case.name);
        sender.join().unwrap();
    }
}

#[test]
fn a_request_is_answered_after_a_half_close() {
    let (mut near, mut far) = tcp();
    let server = thread::spawn(move || {
        let mut received: Vec<Array> = Vec::new();
        while let Some(array) = recv(&mut far, &Limits::default()).unwrap() {
            received.push(array);
        }
        for array in received.iter().rev() {
            send(&mut far, &array.view()).unwrap();
        }
    });
    let cases: Vec<Case> = table().into_iter().step_by(50).collect();
    for case in &cases {
        send(&mut near, &case.view()).unwrap();
    }
    near.shutdown(Shutdown::Write).unwrap();
    for case in cases.iter().rev() {
        let array = recv(&mut near, &Limits::default()).unwrap().unwrap();
        assert_same(&array.view(), &case.view(), &case.name);
    }
    assert!(recv(&mut near, &Limits::default()).unwrap().is_none());
    server.join().unwrap();
}

#[test]
fn a_peer_that_closes_inside_of_an_array_is_truncation() {
    let bytes = dumps(&Case::new(&"<i4".parse().unwrap(), &[50], Layout::C).view()).unwrap();
    for end in [1, 5, 9, 60, 127, 128, 129, bytes.len() - 1] {
        let (mut near, mut far) = tcp();
        near.write_all(&bytes[..end]).unwrap();
        drop(near);
        let error = recv(&mut far, &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{end}: {error}");
    }
}

#[test]
fn a_silent_peer_meets_the_deadline() {
    let bytes = dumps(&Case::new(&"<i4".parse().unwrap(), &[50], Layout::C).view()).unwrap();
    for end in [0, 5, 140] {
        let (mut near, mut far) = tcp();
        far.set_read_timeout(Some(Duration::from_millis(30))).unwrap();
        near.write_all(&bytes[..end]).unwrap();
        let error = recv(&mut far, &Limits::default()).unwrap_err();
        let kind = error.io().map(std::io::Error::kind);
        assert!(matches!(kind, Some(IoKind::WouldBlock | IoKind::TimedOut)), "{error}");
    }
}

#[test]
fn a_peer_that_does_not_read_meets_the_deadline() {
    let (mut near, _far) = tcp();
    near.set_write_timeout(Some(Duration::from_millis(30))).unwrap();
    let error = send(&mut near, &big().view()).unwrap_err();
    let kind = error.io().map(std::io::Error::kind);
    assert!(matches!(kind, Some(IoKind::WouldBlock | IoKind::TimedOut)), "{error}");
}

#[test]
fn a_peer_that_goes_away_is_an_error_of_the_system() {
    let (mut near, far) = tcp();
    drop(far);
    let error = send(&mut near, &big().view()).unwrap_err();
    assert_eq!(error.code(), Code::Io);
    let kind = error.io().map(std::io::Error::kind);
    assert!(matches!(kind, Some(IoKind::BrokenPipe | IoKind::ConnectionReset)), "{error}");
}

#[test]
fn a_reset_is_no_end() {
    let bytes = dumps(&Case::new(&"<i4".parse().unwrap(), &[50], Layout::C).view()).unwrap();
    let (mut near, mut far) = tcp();
    near.write_all(&bytes[..140]).unwrap();
    // A socket closed with bytes unread resets its connection.
    far.write_all(b"unread").unwrap();
    let mut seen = [0; 1];
    near.peek(&mut seen).unwrap();
    drop(near);
    let error = recv(&mut far, &Limits::default()).unwrap_err();
    let reset = error.io().map(std::io::Error::kind) == Some(IoKind::ConnectionReset);
    assert!(reset || error.kind() == ErrorKind::Truncated, "{error}");
}

#[test]
fn too_much_is_refused_before_it_is_received() {
    let (mut near, mut far) = tcp();
    let header = Header::new("|u1".parse().unwrap(), Order::C, vec![1 << 40]).unwrap();
    near.write_all(&header.encode().unwrap()).unwrap();
    let error = recv(&mut far, &Limits::default().with_bytes(1 << 20)).unwrap_err();
    assert_eq!(error.code(), Code::TooManyBytes);
}

#[test]
fn arrays_are_received_into_memory_of_any_layout() {
    let (mut near, mut far) = tcp();
    let case = Case::new(&"<i4".parse().unwrap(), &[40, 30], Layout::C);
    let sent = case.clone();
    let sender = thread::spawn(move || {
        for _ in 0..4 {
            send(&mut near, &sent.view()).unwrap();
        }
    });
    let header = case.view().header().unwrap();
    // C, F, every second column, and upside down.
    let layouts: [(usize, [isize; 2], usize); 4] = [
        (0, [120, 4], 4800),
        (0, [4, 160], 4800),
        (4, [240, 8], 9604),
        (39 * 120, [-120, 4], 4800),
    ];
    for (origin, strides, len) in layouts {
        let mut out = vec![0xee; len];
        let layout = Strided { origin, strides: &strides };
        assert!(recv_into(&mut far, &header, &mut out, layout, &Limits::default()).unwrap());
        let view = ndbytes::ArrayView::new(case.dtype.clone(), &case.shape, &strides, &out, origin);
        assert_same(&view.unwrap(), &case.view(), "received");
        if len == 9604 {
            // Between the columns nothing was touched.
            assert!(out.chunks_exact(8).all(|pair| pair[..4] == [0xee; 4]));
        }
    }
    sender.join().unwrap();
    let layout = Strided { origin: 0, strides: &[120, 4] };
    assert!(!recv_into(&mut far, &header, &mut [0; 4800], layout, &Limits::default()).unwrap());
}
