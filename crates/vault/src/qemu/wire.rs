//! The NBD protocol's numbers and the few forms of it that a client of qemu-nbd needs, all in network byte order.
//!
//! Source: the protocol's published description (fixed newstyle negotiation, structured replies, metadata contexts).

use std::io::{self, Read};

pub(super) const GREETING: &[u8; 16] = b"NBDMAGICIHAVEOPT";
pub(super) const OPTION_MAGIC: &[u8; 8] = b"IHAVEOPT";
pub(super) const OPTION_REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
/// Fixed newstyle, and no padding: the same two bits for server and client.
pub(super) const HANDSHAKE_FLAGS: u16 = 0b11;

pub(super) const OPTION_GO: u32 = 7;
pub(super) const OPTION_STRUCTURED_REPLY: u32 = 8;
pub(super) const OPTION_SET_META_CONTEXT: u32 = 10;

pub(super) const REPLY_ACK: u32 = 1;
pub(super) const REPLY_INFO: u32 = 3;
pub(super) const REPLY_META_CONTEXT: u32 = 4;
pub(super) const REPLY_IS_ERROR: u32 = 1 << 31;
pub(super) const INFO_EXPORT: u16 = 0;

pub(super) const REQUEST_MAGIC: u32 = 0x2560_9513;
pub(super) const READ: u16 = 0;
pub(super) const WRITE: u16 = 1;
pub(super) const DISCONNECT: u16 = 2;
pub(super) const FLUSH: u16 = 3;
pub(super) const BLOCK_STATUS: u16 = 7;

pub(super) const SIMPLE_REPLY_MAGIC: u32 = 0x6744_6698;
pub(super) const CHUNK_MAGIC: u32 = 0x668e_33ef;
pub(super) const CHUNK_IS_LAST: u16 = 1;
pub(super) const CHUNK_NONE: u16 = 0;
pub(super) const CHUNK_DATA: u16 = 1;
pub(super) const CHUNK_HOLE: u16 = 2;
pub(super) const CHUNK_BLOCK_STATUS: u16 = 5;
pub(super) const CHUNK_IS_ERROR: u16 = 1 << 15;

/// The longest payload that is read whole: an option's reply, a list of extents, an error's words.
pub(super) const LONGEST: u32 = 2 << 20;

/// A part of a reply.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    pub(super) last: bool,
    pub(super) kind: u16,
    pub(super) cookie: u64,
    /// Bytes that follow.
    pub(super) length: u32,
}

/// A reply's beginning.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reply {
    Chunk(Chunk),
    Simple { error: u32, cookie: u64 },
}

pub(super) fn read_reply(stream: &mut impl Read) -> io::Result<Reply> {
    match read_u32(stream)? {
        CHUNK_MAGIC => Ok(Reply::Chunk(Chunk {
            last: read_u16(stream)? & CHUNK_IS_LAST != 0,
            kind: read_u16(stream)?,
            cookie: read_u64(stream)?,
            length: read_u32(stream)?,
        })),
        SIMPLE_REPLY_MAGIC => Ok(Reply::Simple {
            error: read_u32(stream)?,
            cookie: read_u64(stream)?,
        }),
        _ => Err(broken("a reply that is none")),
    }
}

/// A payload that is kept whole, of bounded length.
pub(super) fn read_payload(stream: &mut impl Read, length: u32) -> io::Result<Vec<u8>> {
    if length > LONGEST {
        return Err(broken("a payload that is too long"));
    }
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload)?;
    Ok(payload)
}

pub(super) fn read_u16(stream: &mut impl Read) -> io::Result<u16> {
    let mut bytes = [0; 2];
    stream.read_exact(&mut bytes)?;
    Ok(u16::from_be_bytes(bytes))
}

pub(super) fn read_u32(stream: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    stream.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

pub(super) fn read_u64(stream: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    stream.read_exact(&mut bytes)?;
    Ok(u64::from_be_bytes(bytes))
}

/// The protocol's error numbers are Linux's.
pub(super) fn refused(error: u32) -> io::Error {
    i32::try_from(error).map_or_else(
        |_| broken("an error without a number"),
        io::Error::from_raw_os_error,
    )
}

pub(super) fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("qemu-nbd sent {what}"))
}
