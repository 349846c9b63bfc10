//! A byte stream to an address, in the clear or with TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::{Address, ConnectError, Server};

/// The stream.
#[derive(Debug)]
pub(crate) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// Opens it. The caller limits the time.
    pub(crate) async fn open(server: &Server, address: &Address) -> Result<Self, ConnectError> {
        let unreachable = |source| ConnectError::Unreachable {
            address: address.clone(),
            source,
        };
        let tls = match (address.tls(), &server.tls) {
            (false, _) => None,
            (true, Some(tls)) => Some(TlsConnector::from(tls.clone())),
            (true, None) => {
                return Err(ConnectError::NoTrust {
                    address: address.clone(),
                });
            }
        };
        let stream = TcpStream::connect((address.host(), address.port()))
            .await
            .map_err(unreachable)?;
        // Frames are small and people wait for them.
        stream.set_nodelay(true).map_err(unreachable)?;
        let Some(tls) = tls else {
            return Ok(Self::Plain(stream));
        };
        let name = ServerName::try_from(address.host().to_owned())
            .map_err(|error| unreachable(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        let stream = tls.connect(name, stream).await.map_err(unreachable)?;
        Ok(Self::Tls(Box::new(stream)))
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
