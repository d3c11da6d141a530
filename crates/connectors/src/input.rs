//! Opening an input: a file or stdin; plain, gzip or zstd.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use thiserror::Error;

/// Bytes read at a time.
const BUFFER_BYTES: usize = 128 * 1024;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The last three bytes of a zstd frame that is skipped; the first is 0x50 to 0x5f.
const ZSTD_SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// Why an input gives no more records.
#[derive(Debug, Error)]
pub enum InputError {
    /// It cannot be opened, or not even its first bytes can be read.
    #[error("expected an input that can be read: {source}")]
    Open {
        /// What the system says.
        source: io::Error,
    },
    /// It breaks off. Every line before was delivered; the line itself is not, because it may be incomplete.
    #[error("expected more input, it breaks off in line {line}: {source}")]
    Broken {
        /// The line that was being read, from 1.
        line: u64,
        /// What the system or the decompressor says.
        source: io::Error,
    },
    /// A Parquet file that is damaged, or that is written in a way that is not read. Every row before was
    /// delivered.
    #[error("expected more rows, the file breaks off in row {row}: {problem}")]
    BrokenRows {
        /// The row that was being read, from 1.
        row: u64,
        /// What is wrong, in which row group, column and page, counted from 0.
        problem: String,
    },
    /// No Parquet file, or one whose columns are not those of events.
    #[error("expected a Parquet file of events: {problem}")]
    Columns {
        /// What is wrong with it.
        problem: String,
    },
    /// A CSV without a header, or whose header is not what the mapping expects.
    #[error("expected a header with the columns of the mapping: {problem}")]
    Header {
        /// What is wrong with it.
        problem: String,
    },
}

/// Opens a file, or stdin for `-`; gzip and zstd are recognised by their first bytes, whatever the name says.
///
/// Several gzip members or zstd frames one after another are one input. A compressed stream that ends early or
/// is damaged gives an error when the reader gets there; what came before is delivered.
///
/// **Errors**: [`InputError::Open`].
pub fn open_input(path: &Path) -> Result<Box<dyn BufRead + Send>, InputError> {
    if path == Path::new("-") {
        return decompressed(io::stdin());
    }
    let file = File::open(path).map_err(|source| InputError::Open { source })?;
    if file.metadata().is_ok_and(|found| found.is_dir()) {
        let source = io::Error::new(io::ErrorKind::IsADirectory, "it is a folder");
        return Err(InputError::Open { source });
    }
    decompressed(file)
}

/// Whether a file begins as Parquet does; stdin and what is no file do not.
///
/// **Errors**: [`InputError::Open`].
pub fn is_parquet(path: &Path) -> Result<bool, InputError> {
    if path == Path::new("-") {
        return Ok(false);
    }
    let opened = |source| InputError::Open { source };
    let mut file = File::open(path).map_err(opened)?;
    // A pipe by name must not lose its first bytes.
    if !file.metadata().map_err(opened)?.is_file() {
        return Ok(false);
    }
    Ok(read_head(&mut file).map_err(opened)? == *b"PAR1")
}

/// The plain bytes of an input that may be compressed; see [`open_input`].
///
/// **Errors**: [`InputError::Open`].
pub fn decompressed(mut input: impl Read + Send + 'static) -> Result<Box<dyn BufRead + Send>, InputError> {
    let head = read_head(&mut input).map_err(|source| InputError::Open { source })?;
    let compression = Compression::of(&head);
    let count = Arc::new(AtomicU64::new(0));
    let counted = Counted { input: Cursor::new(head).chain(input), count: Arc::clone(&count) };
    let buffered = BufReader::with_capacity(BUFFER_BYTES, counted);
    let told = |decoder: Box<dyn Read + Send>, name| {
        let located = Located { decoder, name, count };
        Box::new(BufReader::with_capacity(BUFFER_BYTES, located)) as Box<dyn BufRead + Send>
    };
    Ok(match compression {
        None => Box::new(buffered),
        Some(Compression::Gzip) => told(Box::new(MultiGzDecoder::new(buffered)), "gzip"),
        Some(Compression::Zstd) => {
            let decoder = zstd::stream::read::Decoder::with_buffer(buffered);
            told(Box::new(decoder.map_err(|source| InputError::Open { source })?), "zstd")
        }
    })
}

enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    fn of(head: &[u8]) -> Option<Self> {
        let is_skippable = |head: &[u8]| {
            head.first().is_some_and(|byte| byte & 0xf0 == 0x50) && head.get(1..) == Some(&ZSTD_SKIPPABLE)
        };
        if head.starts_with(&GZIP_MAGIC) {
            Some(Self::Gzip)
        } else if head == ZSTD_MAGIC || is_skippable(head) {
            Some(Self::Zstd)
        } else {
            None
        }
    }
}

/// The first four bytes, or all there are.
fn read_head(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(ZSTD_MAGIC.len());
    input.take(ZSTD_MAGIC.len() as u64).read_to_end(&mut head)?;
    Ok(head)
}

struct Counted<R> {
    input: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Tells in every error how far into the compressed stream the decoder had read.
struct Located {
    decoder: Box<dyn Read + Send>,
    name: &'static str,
    count: Arc<AtomicU64>,
}

impl Read for Located {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(buffer).map_err(|error| {
            let (name, count) = (self.name, self.count.load(Ordering::Relaxed));
            let what = match error.kind() {
                io::ErrorKind::Interrupted => return error,
                io::ErrorKind::UnexpectedEof => "ends early",
                _ => "cannot be decompressed",
            };
            io::Error::new(
                error.kind(),
                format!("the {name} stream {what}, of which {count} bytes were read: {error}"),
            )
        })
    }
}
