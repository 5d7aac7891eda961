//! One large message over a QUIC stream of quinn's and nothing else: what `quic://` is measured against.
//!
//! `ndbytes-bench-quic CERT KEY defaults|ndbytes BYTES` prints `ready` when the connection is there. For
//! each line of standard input it then sends so many bytes over a new unidirectional stream from one
//! endpoint to another, both of this process, into memory that it keeps, and prints how many came.
//! Where the line is `check`, they are compared with what was sent. It ends with its input.
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{BufRead, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, Connection, Endpoint, EndpointConfig, MtuDiscoveryConfig, ServerConfig,
    TokioRuntime, TransportConfig, VarInt,
};
use rustls::RootCertStore;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Which settings both ends have.
#[derive(Clone, Copy, PartialEq)]
enum Settings {
    Defaults,
    /// Those of `ndbytes-net`, `session/quic.rs`.
    Ndbytes,
}

/// Both ends of a connection.
struct Pair {
    sender: Connection,
    receiver: Connection,
    // Connections end with their endpoints.
    _endpoints: [Endpoint; 2],
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [cert, key, settings, size] = words.as_slice() else {
        return Err("usage: CERT KEY defaults|ndbytes BYTES".into());
    };
    let settings = match settings.as_str() {
        "defaults" => Settings::Defaults,
        "ndbytes" => Settings::Ndbytes,
        _ => return Err("the settings are `defaults` or `ndbytes`".into()),
    };
    // As many threads as `quic://` has.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let message: Arc<[u8]> = (0..size.parse::<u32>()?).map(byte).collect();
    let pair = runtime.block_on(connect(Path::new(cert), Path::new(key), settings))?;
    let mut got = Vec::with_capacity(message.len());
    let mut out = std::io::stdout();
    writeln!(out, "ready")?;
    for line in std::io::stdin().lock().lines() {
        let check = line? == "check";
        got.clear();
        got = runtime.block_on(round(&pair, &message, got))?;
        if check && got[..] != message[..] {
            return Err("what came is not what was sent".into());
        }
        writeln!(out, "{}", got.len())?;
        out.flush()?;
    }
    Ok(())
}

/// Different from place to place, so that what is lost or moved shows.
fn byte(place: u32) -> u8 {
    (place.wrapping_mul(2_654_435_761) >> 24) as u8
}

async fn connect(cert: &Path, key: &Path, settings: Settings) -> Result<Pair> {
    let near = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listening = endpoint(near, Some(server(cert, key, settings)?), settings)?;
    let connecting = endpoint(near, None, settings)?;
    let there = listening.local_addr()?;
    let accepted = listening.clone();
    let accept = tokio::spawn(async move {
        let incoming = accepted.accept().await.ok_or("the endpoint is closed")?;
        Result::Ok(incoming.await?)
    });
    let sender = connecting.connect_with(client(cert, settings)?, there, "localhost")?.await?;
    Ok(Pair { sender, receiver: accept.await??, _endpoints: [listening, connecting] })
}

/// Sends the message, and gives what came, behind what there is.
async fn round(pair: &Pair, message: &Arc<[u8]>, mut got: Vec<u8>) -> Result<Vec<u8>> {
    let (sender, message) = (pair.sender.clone(), message.clone());
    let sending = tokio::spawn(async move {
        let mut stream = sender.open_uni().await?;
        stream.write_all(&message).await?;
        stream.finish()?;
        Result::Ok(())
    });
    let receiver = pair.receiver.clone();
    // On a worker, as the sender is: the thread that waits is neither.
    let receiving = tokio::spawn(async move {
        let mut stream = receiver.accept_uni().await?;
        while let Some(chunk) = stream.read_chunk(CHUNK, true).await? {
            got.extend_from_slice(&chunk.bytes);
        }
        Result::Ok(got)
    });
    sending.await??;
    receiving.await?
}

fn server(cert: &Path, key: &Path, settings: Settings) -> Result<ServerConfig> {
    let chain = certificates(cert)?;
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    let mut server = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(config)?));
    if settings == Settings::Ndbytes {
        server.transport_config(transport());
    }
    Ok(server)
}

fn client(authority: &Path, settings: Settings) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for cert in certificates(authority)? {
        roots.add(cert)?;
    }
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    let mut client = ClientConfig::new(Arc::new(QuicClientConfig::try_from(config)?));
    if settings == Settings::Ndbytes {
        client.transport_config(transport());
    }
    Ok(client)
}

fn certificates(pem: &Path) -> Result<Vec<CertificateDer<'static>>> {
    Ok(CertificateDer::pem_file_iter(pem)?.collect::<std::result::Result<_, _>>()?)
}

fn endpoint(at: SocketAddr, server: Option<ServerConfig>, settings: Settings) -> Result<Endpoint> {
    let mut config = EndpointConfig::default();
    if settings == Settings::Ndbytes {
        config.max_udp_payload_size(MAX_DATAGRAM)?;
    }
    Ok(Endpoint::new(config, server, UdpSocket::bind(at)?, Arc::new(TokioRuntime))?)
}

/// As `transport` in `ndbytes-net`, but for the number of streams.
fn transport() -> Arc<TransportConfig> {
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.upper_bound(MAX_DATAGRAM);
    let mut config = TransportConfig::default();
    config
        .stream_receive_window(VarInt::from_u32(WINDOW))
        .receive_window(VarInt::from_u32(WINDOW))
        .send_window(u64::from(WINDOW))
        .datagram_receive_buffer_size(None)
        .keep_alive_interval(Some(KEEP_ALIVE))
        .mtu_discovery_config(Some(mtu));
    Arc::new(config)
}

const PROTOCOL: &[u8] = b"ndbytes/1";
/// Bytes that are taken at once.
const CHUNK: usize = 1 << 20;
/// Those of `ndbytes-net`.
const WINDOW: u32 = 16 << 20;
const MAX_DATAGRAM: u16 = 6_400;
const KEEP_ALIVE: Duration = Duration::from_secs(10);
