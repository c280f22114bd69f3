//! One connection to qemu-nbd: a disk's logical bytes, and what is known of its extents.
//!
//! One request at a time and every length bounded; reads in parallel take several connections. A reply must cover what was
//! asked for from its beginning to its end and in order, as qemu sends it: anything else is an error and not a guess.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    time::Duration,
};

use super::wire::{self, Chunk, Reply};

/// How long qemu-nbd may take for one answer: opening an image and reading from a disk that sleeps are within it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Extents are asked for this many bytes at a time; a request's length has 32 bits.
const STATUS_STEP: u64 = 2 << 30;

/// The flags of an extent of `base:allocation` and of a dirty bitmap.
pub(crate) const IS_ZERO: u32 = 1 << 1;
pub(crate) const IS_DIRTY: u32 = 1;

#[derive(Debug)]
pub(super) struct Client {
    stream: UnixStream,
    cookie: u64,
    /// The disk's size in bytes.
    pub(super) size: u64,
    /// The contexts that the server agreed to, with its numbers for them.
    contexts: Vec<(String, u32)>,
}

impl Client {
    /// Negotiates the unnamed export, with structured replies and these metadata contexts.
    pub(super) fn greet(mut stream: UnixStream, contexts: &[String]) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut greeting = [0; 16];
        stream.read_exact(&mut greeting)?;
        if greeting != *wire::GREETING || wire::read_u16(&mut stream)? & 1 == 0 {
            return Err(wire::broken("no greeting of the protocol"));
        }
        stream.write_all(&u32::from(wire::HANDSHAKE_FLAGS).to_be_bytes())?;
        let mut client = Self {
            stream,
            cookie: 0,
            size: 0,
            contexts: Vec::new(),
        };
        client.option(wire::OPTION_STRUCTURED_REPLY, &[], |_, _| Ok(()))?;
        client.ask_for(contexts)?;
        client.go()?;
        Ok(client)
    }

    fn ask_for(&mut self, contexts: &[String]) -> io::Result<()> {
        let mut asked = Vec::new();
        asked.extend_from_slice(&0_u32.to_be_bytes());
        asked.extend_from_slice(&(contexts.len() as u32).to_be_bytes());
        for context in contexts {
            asked.extend_from_slice(&(context.len() as u32).to_be_bytes());
            asked.extend_from_slice(context.as_bytes());
        }
        let mut agreed = Vec::new();
        self.option(
            wire::OPTION_SET_META_CONTEXT,
            &asked,
            |kind, mut payload| {
                if kind == wire::REPLY_META_CONTEXT {
                    let number = wire::read_u32(&mut payload)?;
                    agreed.push((String::from_utf8_lossy(payload).into_owned(), number));
                }
                Ok(())
            },
        )?;
        self.contexts = agreed;
        match contexts
            .iter()
            .find(|context| self.number_of(context).is_none())
        {
            Some(missing) => Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("qemu-nbd does not know {missing} of the image"),
            )),
            None => Ok(()),
        }
    }

    fn go(&mut self) -> io::Result<()> {
        // An export without a name, and no wish for further information.
        let mut size = None;
        self.option(wire::OPTION_GO, &[0; 6], |kind, mut payload| {
            if kind == wire::REPLY_INFO && wire::read_u16(&mut payload)? == wire::INFO_EXPORT {
                size = Some(wire::read_u64(&mut payload)?);
            }
            Ok(())
        })?;
        self.size = size.ok_or_else(|| wire::broken("no size of the disk"))?;
        Ok(())
    }

    /// Sends an option and gives each of its replies to `heard`, to the last.
    fn option(
        &mut self,
        option: u32,
        data: &[u8],
        mut heard: impl FnMut(u32, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut message = wire::OPTION_MAGIC.to_vec();
        message.extend_from_slice(&option.to_be_bytes());
        message.extend_from_slice(&(data.len() as u32).to_be_bytes());
        message.extend_from_slice(data);
        self.stream.write_all(&message)?;
        loop {
            let stream = &mut self.stream;
            if wire::read_u64(stream)? != wire::OPTION_REPLY_MAGIC
                || wire::read_u32(stream)? != option
            {
                return Err(wire::broken("no reply to an option"));
            }
            let kind = wire::read_u32(stream)?;
            let length = wire::read_u32(stream)?;
            let payload = wire::read_payload(stream, length)?;
            if kind & wire::REPLY_IS_ERROR != 0 {
                let words = String::from_utf8_lossy(&payload);
                return Err(wire::broken(&format!(
                    "a refusal of option {option}: {words}"
                )));
            }
            if kind == wire::REPLY_ACK {
                return Ok(());
            }
            heard(kind, &payload)?;
        }
    }

    fn number_of(&self, context: &str) -> Option<u32> {
        self.contexts
            .iter()
            .find(|(name, _)| name == context)
            .map(|(_, number)| *number)
    }

    /// Fills `buffer` from `offset` on.
    pub(super) fn read(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.request(wire::READ, offset, length_of(buffer)?, &[])?;
        let mut filled = 0;
        loop {
            let chunk = self.chunk()?;
            match chunk.kind {
                wire::CHUNK_NONE if chunk.length == 0 => {}
                wire::CHUNK_DATA | wire::CHUNK_HOLE => {
                    let at = wire::read_u64(&mut self.stream)?;
                    let length = match chunk.kind {
                        wire::CHUNK_HOLE => wire::read_u32(&mut self.stream)?,
                        _ => chunk.length.saturating_sub(8),
                    };
                    let end = filled + length as usize;
                    let place = buffer
                        .get_mut(filled..end)
                        .filter(|_| at == offset + filled as u64)
                        .ok_or_else(|| wire::broken("bytes that were not asked for"))?;
                    match chunk.kind {
                        wire::CHUNK_HOLE => place.fill(0),
                        _ => self.stream.read_exact(place)?,
                    }
                    filled = end;
                }
                _ => return Err(wire::broken("a reply to something else")),
            }
            if chunk.last {
                break;
            }
        }
        if filled != buffer.len() {
            return Err(wire::broken("fewer bytes than were asked for"));
        }
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.request(wire::WRITE, offset, length_of(bytes)?, bytes)?;
        self.done()
    }

    /// Returns when all that was written over this connection is on disk.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.request(wire::FLUSH, 0, 0, &[])?;
        self.done()
    }

    /// Says goodbye; there is no answer to it.
    pub(super) fn leave(mut self) -> io::Result<()> {
        self.request(wire::DISCONNECT, 0, 0, &[])
    }

    /// Tells the disk's extents in a context, in order and without a gap: offset, length, flags.
    pub(super) fn extents(
        &mut self,
        context: &str,
        mut each: impl FnMut(u64, u64, u32),
    ) -> io::Result<()> {
        let number = self
            .number_of(context)
            .ok_or_else(|| wire::broken("nothing of a context that it agreed to"))?;
        let mut offset = 0;
        while offset < self.size {
            let step = (self.size - offset).min(STATUS_STEP);
            let from = offset;
            self.request(wire::BLOCK_STATUS, from, step as u32, &[])?;
            loop {
                let chunk = self.chunk()?;
                if chunk.kind == wire::CHUNK_BLOCK_STATUS {
                    let payload = wire::read_payload(&mut self.stream, chunk.length)?;
                    let mut pairs = &payload[..];
                    if wire::read_u32(&mut pairs)? == number {
                        while !pairs.is_empty() {
                            let length = u64::from(wire::read_u32(&mut pairs)?);
                            let flags = wire::read_u32(&mut pairs)?;
                            // The last one may reach beyond what was asked for.
                            let length = length.min(from + step - offset);
                            each(offset, length, flags);
                            offset += length;
                        }
                    }
                } else if chunk.kind != wire::CHUNK_NONE || chunk.length != 0 {
                    return Err(wire::broken("a reply to something else"));
                }
                if chunk.last {
                    break;
                }
            }
            if offset == from {
                return Err(wire::broken("no extents"));
            }
        }
        Ok(())
    }

    fn request(&mut self, kind: u16, offset: u64, length: u32, data: &[u8]) -> io::Result<()> {
        self.cookie += 1;
        let mut head = Vec::with_capacity(28);
        head.extend_from_slice(&wire::REQUEST_MAGIC.to_be_bytes());
        head.extend_from_slice(&0_u16.to_be_bytes());
        head.extend_from_slice(&kind.to_be_bytes());
        head.extend_from_slice(&self.cookie.to_be_bytes());
        head.extend_from_slice(&offset.to_be_bytes());
        head.extend_from_slice(&length.to_be_bytes());
        self.stream.write_all(&head)?;
        self.stream.write_all(data)
    }

    /// The next part of the reply to the last request. An error in it is returned as such.
    fn chunk(&mut self) -> io::Result<Chunk> {
        match self.reply()? {
            Reply::Chunk(chunk) => Ok(chunk),
            Reply::Simple { error: 0, .. } => Err(wire::broken("a reply without its bytes")),
            Reply::Simple { error, .. } => Err(wire::refused(error)),
        }
    }

    /// The reply to a request that is answered by nothing but that it was done.
    fn done(&mut self) -> io::Result<()> {
        match self.reply()? {
            Reply::Simple { error: 0, .. } => Ok(()),
            Reply::Simple { error, .. } => Err(wire::refused(error)),
            Reply::Chunk(chunk) if chunk.last && chunk.length == 0 => Ok(()),
            Reply::Chunk(_) => Err(wire::broken("bytes that were not asked for")),
        }
    }

    fn reply(&mut self) -> io::Result<Reply> {
        let reply = wire::read_reply(&mut self.stream)?;
        let (Reply::Chunk(Chunk { cookie, .. }) | Reply::Simple { cookie, .. }) = reply;
        if cookie != self.cookie {
            return Err(wire::broken("a reply to another request"));
        }
        match reply {
            Reply::Chunk(chunk) if chunk.kind & wire::CHUNK_IS_ERROR != 0 => {
                let payload = wire::read_payload(&mut self.stream, chunk.length)?;
                Err(wire::refused(wire::read_u32(&mut &payload[..])?))
            }
            reply => Ok(reply),
        }
    }
}

fn length_of(bytes: &[u8]) -> io::Result<u32> {
    u32::try_from(bytes.len())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "more than 4 GiB at once"))
}
