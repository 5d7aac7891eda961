//! `serve`: a folder over HTTP.

use std::io;
use std::net::ToSocketAddrs;
use std::time::Duration;

use ndbytes_net::serve::{ServeError, ServeOptions, Server, Tokens};

use crate::args::{Logs, Seconds, Serve};
use crate::exit::{ExitStatus, Failure, describe};
use crate::printer::Printer;

/// Serves until a signal ends it.
pub(crate) fn run(args: &Serve, out: &mut Printer) -> Result<ExitStatus, Failure> {
    let listen = args
        .listen
        .to_socket_addrs()
        .and_then(|mut found| found.next().ok_or_else(|| io::ErrorKind::NotFound.into()))
        .map_err(|_| {
            let address = &args.listen;
            Failure::trouble(format!("`{address}` is no address such as 127.0.0.1:8080"))
        })?;
    let mut options = ServeOptions::new(&args.dir, listen);
    let tokens = args.tokens.as_deref().map(Tokens::open);
    options.tokens = tokens.transpose().map_err(Failure::trouble)?;
    options.tls = args.cert.clone().zip(args.key.clone());
    options.insecure = args.insecure;
    options.write = args.write;
    options.delete = args.delete;
    options.max_upload = args.max_upload;
    options.max_connections = args.max_connections as usize;
    options.max_connections_per_address = args.max_connections_per_address.map(|n| n as usize);
    options.max_requests = args.max_requests as usize;
    options.max_requests_per_client = args.max_requests_per_client.map(|n| n as usize);
    options.max_rate_per_client = args.max_rate_per_client;
    options.header_timeout = time(args.header_timeout);
    options.idle_timeout = time(args.idle_timeout);
    options.write_timeout = time(args.write_timeout);
    options.grace = time(args.grace);
    log(args.log);
    let server = Server::bind(options).map_err(failure)?;
    out.line(format_args!("{}", server.url()))?;
    // Who started it waits for this line.
    out.finish()?;
    server.run().map_err(failure)?;
    Ok(ExitStatus::Done)
}

/// 0 is as long as it may be.
fn time(seconds: Seconds) -> Duration {
    seconds.0.unwrap_or(Duration::from_secs(1 << 30))
}

fn failure(error: ServeError) -> Failure {
    match error {
        ServeError::Io(what, error) => Failure::trouble(format!("{what}: {}", describe(&error))),
        error => Failure::trouble(error.to_string()),
    }
}

/// Where the log goes: standard error, whose reader may go as well.
fn log(logs: Logs) {
    let builder = tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(false);
    // It is set once in a process.
    let _ = match logs {
        Logs::Off => Ok(()),
        Logs::Text => builder.try_init(),
        Logs::Json => builder.json().flatten_event(true).try_init(),
    };
}
