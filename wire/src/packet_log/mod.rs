//! Packets that rules log (nflog): those of [`Term::Log`](crate::nft::Term::Log).

mod headers;
mod packet;
mod reader;

pub use headers::PacketHeaders;
pub use packet::LoggedPacket;
pub use reader::PacketLog;
