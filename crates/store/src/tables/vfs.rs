//! SQLite over our file layer: the one module of the workspace that may call unsafe code.
//!
//! Every page and every journal byte goes through [`Disk`], so that a faulty disk in a test meets SQLite too.
//! Locks are no-ops: the folder's lock makes this the only process, and each file has one connection.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rsqlite_vfs::{
    AccessMode, FileKind, LockLevel, MemChunksFile, OpenAccess, OpenRequest, OpenedFile, OsCallback,
    SQLiteIoMethods, SQLiteVfs, SyncOptions, VfsError, VfsErrorCode, VfsFile, VfsResult, VfsStore,
};

use super::files::{FILE, JOURNAL};
use super::page::{self, HEADER_BYTES, PAGE_BYTES, PAGE_LENGTH, Page};
use crate::disk::{Disk, DiskFile, Mode};
use crate::error::{ErrorKind, StoreError};

/// The name under which SQLite knows this file system.
pub(super) const NAME: &str = "counterfoil";

static MOUNTS: Mutex<BTreeMap<u64, Arc<Mount>>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(1);

/// One folder that SQLite may open `tables.db` in.
#[derive(Debug)]
pub(super) struct Mount {
    id: u64,
    disk: Arc<dyn Disk>,
    read_only: bool,
    /// A sync failed: what was written may be lost although it reads back, so nothing is written any more.
    stopped: AtomicBool,
    /// What went wrong below SQLite, which only hands on a number.
    trouble: Mutex<Option<StoreError>>,
}

impl Mount {
    /// Makes a folder known to SQLite until [`Mount::remove`].
    ///
    /// **Errors**: SQLite does not take the file system.
    pub(super) fn add(disk: Arc<dyn Disk>, read_only: bool) -> Result<Arc<Self>, StoreError> {
        register()?;
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let (stopped, trouble) = (AtomicBool::new(false), Mutex::new(None));
        let mount = Arc::new(Self { id, disk, read_only, stopped, trouble });
        lock(&MOUNTS).insert(id, Arc::clone(&mount));
        Ok(mount)
    }

    /// Forgets a folder whose connection is closed.
    pub(super) fn remove(&self) {
        lock(&MOUNTS).remove(&self.id);
    }

    /// The path by which SQLite opens the tables of this folder.
    pub(super) fn path(&self) -> String {
        format!("/{}/{FILE}", self.id)
    }

    /// What went wrong below SQLite since the last call.
    pub(super) fn take_trouble(&self) -> Option<StoreError> {
        lock(&self.trouble).take()
    }

    fn note(&self, error: StoreError, code: VfsErrorCode) -> VfsError {
        let message = error.message.clone();
        // The first trouble is the cause; what SQLite meets while it rolls back is not.
        lock(&self.trouble).get_or_insert(error);
        VfsError::new(code, message.into())
    }

    fn failed(&self, doing: &str, error: &io::Error, code: VfsErrorCode) -> VfsError {
        let full = error.kind() == io::ErrorKind::StorageFull;
        self.note(StoreError::io(doing, error), if full { VfsErrorCode::Full } else { code })
    }

    fn rotten(&self, number: u64, what: &str) -> VfsError {
        self.note(StoreError::corrupt(FILE, format_args!("page {number}"), what), VfsErrorCode::IoRead)
    }

    fn may_write(&self, code: VfsErrorCode) -> VfsResult<()> {
        if self.read_only {
            return Err(VfsError::new(VfsErrorCode::ReadOnly, "the tables are open for reading".into()));
        }
        if self.stopped.load(Ordering::Relaxed) {
            let what = "the tables stopped after a failed sync";
            let error = StoreError::new(ErrorKind::Closed, "tables_stopped", what, "open the store again");
            return Err(self.note(error, code));
        }
        Ok(())
    }

    fn sync(&self, file: &dyn DiskFile, name: &str) -> VfsResult<()> {
        self.may_write(VfsErrorCode::IoSync)?;
        file.sync().map_err(|error| {
            self.stopped.store(true, Ordering::Relaxed);
            self.failed(&format!("sync `{name}`"), &error, VfsErrorCode::IoSync)
        })
    }

    fn sync_folder(&self) -> VfsResult<()> {
        self.disk.sync_folder("").map_err(|error| {
            self.stopped.store(true, Ordering::Relaxed);
            self.failed("sync the folder", &error, VfsErrorCode::IoDirectorySync)
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these, and each value is whole at any moment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The folder and the name in it that a path of SQLite's means.
fn find(path: &str) -> Option<(Arc<Mount>, &str)> {
    let (id, name) = path.strip_prefix('/')?.split_once('/')?;
    let mount = lock(&MOUNTS).get(&id.parse().ok()?).map(Arc::clone)?;
    (name == FILE || name == JOURNAL).then_some((mount, name))
}

#[expect(unsafe_code, reason = "SQLite takes a file system only through its C interface")]
fn register() -> Result<(), StoreError> {
    static REGISTERED: OnceLock<Result<(), String>> = OnceLock::new();
    let registered = REGISTERED.get_or_init(|| {
        // SAFETY: `Vfs` and `Io` keep the default layout, versions and callbacks of rsqlite-vfs, so that file
        // size, app data and method table agree. The app data is a unit value without state, and what the
        // callbacks share (`MOUNTS`, each `Mount`) is behind mutexes and atomics, so any thread may call them.
        // No callback panics. The `OnceLock` serialises the only registration under this name, and the
        // allocations are given up by `into_raw`: they live as long as the process.
        unsafe { rsqlite_vfs::register_vfs::<Io, Vfs>(NAME, Services, false) }
            .map(|registration| {
                registration.into_raw();
            })
            .map_err(|error| error.to_string())
    });
    registered.clone().map_err(|message| StoreError::io("start SQLite", &io::Error::other(message)))
}

/// `tables.db` itself: whole pages, sealed on the way down and checked on the way up.
struct PageFile {
    mount: Arc<Mount>,
    file: Arc<dyn DiskFile>,
    length: u64,
}

impl PageFile {
    fn read(&self, buffer: &mut [u8], offset: u64) -> VfsResult<usize> {
        let read = self
            .file
            .read_at(buffer, offset)
            .map_err(|error| self.mount.failed("read `tables.db`", &error, VfsErrorCode::IoRead))?;
        let end = offset.saturating_add(buffer.len() as u64);
        if end <= HEADER_BYTES as u64 {
            // SQLite looks at the header before it rolls an interrupted transaction back, when the page may be
            // torn for a good reason. It reads the whole page before it believes any of it.
            return Ok(read);
        }
        let number = page::number_at(offset);
        let Ok(page) = <&Page>::try_from(&*buffer) else {
            return Err(self.mount.rotten(number, "a page size that was never written"));
        };
        if !offset.is_multiple_of(PAGE_LENGTH) || (read != 0 && read != PAGE_BYTES) {
            return Err(self.mount.rotten(number, "a page that is cut short"));
        }
        if read == PAGE_BYTES && !page::is_intact(number, page) {
            return Err(self.mount.rotten(number, "a page whose checksum does not match"));
        }
        Ok(read)
    }

    fn write(&mut self, bytes: &[u8], offset: u64) -> VfsResult<()> {
        self.mount.may_write(VfsErrorCode::IoWrite)?;
        let number = page::number_at(offset);
        let (Ok(page), true) = (<&Page>::try_from(bytes), offset.is_multiple_of(PAGE_LENGTH)) else {
            return Err(self.mount.rotten(number, "a page size that was never written"));
        };
        // SQLite skips pages it does not need; a hole would be a page without a checksum.
        let mut end = self.length - self.length % PAGE_LENGTH;
        while end < offset {
            self.put(&page::blank(page::number_at(end)), end)?;
            end += PAGE_LENGTH;
        }
        let mut page = *page;
        page::seal(number, &mut page);
        self.put(&page, offset)
    }

    fn put(&mut self, page: &Page, offset: u64) -> VfsResult<()> {
        self.file
            .write_at(page, offset)
            .map_err(|error| self.mount.failed("write `tables.db`", &error, VfsErrorCode::IoWrite))?;
        self.length = self.length.max(offset + PAGE_LENGTH);
        Ok(())
    }

    fn truncate(&mut self, size: u64) -> VfsResult<()> {
        self.mount.may_write(VfsErrorCode::IoTruncate)?;
        self.file
            .truncate(size)
            .map_err(|error| self.mount.failed("cut `tables.db`", &error, VfsErrorCode::IoTruncate))?;
        self.length = size;
        Ok(())
    }
}

/// The rollback journal: bytes as SQLite writes them.
struct JournalFile {
    mount: Arc<Mount>,
    file: Arc<dyn DiskFile>,
    /// Whether its name is known to be durable.
    named: bool,
}

impl JournalFile {
    fn failed(&self, doing: &str, error: &io::Error, code: VfsErrorCode) -> VfsError {
        self.mount.failed(&format!("{doing} `{JOURNAL}`"), error, code)
    }

    fn sync(&mut self) -> VfsResult<()> {
        self.mount.sync(self.file.as_ref(), JOURNAL)?;
        if !self.named {
            self.mount.sync_folder()?;
            self.named = true;
        }
        Ok(())
    }
}

enum Handle {
    Pages(PageFile),
    Journal(JournalFile),
    /// A temporary file of SQLite's; it has no name and needs none.
    Memory(MemChunksFile),
}

impl VfsFile for Handle {
    fn read(&mut self, buffer: &mut [u8], offset: u64) -> VfsResult<usize> {
        match self {
            Self::Pages(pages) => pages.read(buffer, offset),
            Self::Journal(journal) => journal
                .file
                .read_at(buffer, offset)
                .map_err(|error| journal.failed("read", &error, VfsErrorCode::IoRead)),
            Self::Memory(memory) => memory.read(buffer, offset),
        }
    }

    fn write(&mut self, bytes: &[u8], offset: u64) -> VfsResult<()> {
        match self {
            Self::Pages(pages) => pages.write(bytes, offset),
            Self::Journal(journal) => {
                journal.mount.may_write(VfsErrorCode::IoWrite)?;
                journal
                    .file
                    .write_at(bytes, offset)
                    .map_err(|error| journal.failed("write", &error, VfsErrorCode::IoWrite))
            }
            Self::Memory(memory) => memory.write(bytes, offset),
        }
    }

    fn truncate(&mut self, size: u64) -> VfsResult<()> {
        match self {
            Self::Pages(pages) => pages.truncate(size),
            Self::Journal(journal) => {
                journal.mount.may_write(VfsErrorCode::IoTruncate)?;
                journal
                    .file
                    .truncate(size)
                    .map_err(|error| journal.failed("cut", &error, VfsErrorCode::IoTruncate))
            }
            Self::Memory(memory) => memory.truncate(size),
        }
    }

    fn sync(&mut self, options: SyncOptions) -> VfsResult<()> {
        match self {
            Self::Pages(pages) => pages.mount.sync(pages.file.as_ref(), FILE),
            Self::Journal(journal) => journal.sync(),
            Self::Memory(memory) => memory.sync(options),
        }
    }

    fn size(&self) -> VfsResult<u64> {
        match self {
            Self::Pages(pages) => Ok(pages.length),
            Self::Journal(journal) => {
                journal.file.length().map_err(|error| journal.failed("measure", &error, VfsErrorCode::IoStat))
            }
            Self::Memory(memory) => memory.size(),
        }
    }

    fn lock(&mut self, _: LockLevel) -> VfsResult<()> {
        Ok(())
    }

    fn unlock(&mut self, _: LockLevel) -> VfsResult<()> {
        Ok(())
    }

    fn check_reserved_lock(&self) -> VfsResult<bool> {
        // A journal of a transaction that nobody holds is one to roll back.
        Ok(false)
    }
}

struct Files;

impl Files {
    fn open_pages(mount: Arc<Mount>) -> VfsResult<Handle> {
        let mode = if mount.read_only { Mode::Read } else { Mode::Write };
        let failed = |error: &io::Error| mount.failed("open `tables.db`", error, VfsErrorCode::CantOpen);
        let file = mount.disk.open(FILE, mode).map_err(|error| failed(&error))?;
        let length = file.length().map_err(|error| failed(&error))?;
        Ok(Handle::Pages(PageFile { mount, file, length }))
    }

    fn open_journal(mount: Arc<Mount>, access: OpenAccess, create: bool) -> VfsResult<Handle> {
        let failed =
            |error: &io::Error| mount.failed(&format!("open `{JOURNAL}`"), error, VfsErrorCode::CantOpen);
        let there = mount.disk.exists(JOURNAL).map_err(|error| failed(&error))?;
        let mode = match access {
            OpenAccess::ReadOnly => Mode::Read,
            OpenAccess::ReadWrite if there || !create => Mode::Write,
            OpenAccess::ReadWrite => Mode::CreateNew,
        };
        let file = mount.disk.open(JOURNAL, mode).map_err(|error| failed(&error))?;
        Ok(Handle::Journal(JournalFile { mount, file, named: false }))
    }
}

impl VfsStore for Files {
    type File = Handle;
    type AppData = Services;

    fn open_file(_: &Services, request: OpenRequest<'_>) -> VfsResult<OpenedFile<Handle>> {
        let access = request.options.access();
        let Some(filename) = request.filename else {
            return Ok(OpenedFile { file: Handle::Memory(MemChunksFile::default()), access });
        };
        let unknown = || VfsError::new(VfsErrorCode::CantOpen, "no such file of the tables".into());
        let (mount, _) = find(filename.path()).ok_or_else(unknown)?;
        let file = match request.options.kind() {
            Some(FileKind::MainDb) => Self::open_pages(mount)?,
            Some(FileKind::MainJournal) => Self::open_journal(mount, access, request.options.create())?,
            _ => return Err(unknown()),
        };
        Ok(OpenedFile { file, access })
    }

    fn close_file(_: &Services, _: Option<&str>, _: Handle, _: rsqlite_vfs::OpenOptions) -> VfsResult<()> {
        Ok(())
    }

    fn access(_: &Services, path: &str, _: AccessMode) -> VfsResult<bool> {
        let Some((mount, name)) = find(path) else { return Ok(false) };
        mount
            .disk
            .exists(name)
            .map_err(|error| mount.failed(&format!("look for `{name}`"), &error, VfsErrorCode::IoAccess))
    }

    fn full_pathname(_: &Services, path: &str) -> VfsResult<String> {
        Ok(path.to_owned())
    }

    fn delete_file(_: &Services, path: &str, sync_dir: bool) -> VfsResult<()> {
        let Some((mount, name)) = find(path) else {
            return Err(VfsError::new(VfsErrorCode::IoDeleteNoEntry, "no such file of the tables".into()));
        };
        mount.may_write(VfsErrorCode::IoDelete)?;
        match mount.disk.remove(name) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(VfsError::new(VfsErrorCode::IoDeleteNoEntry, "no such file".into()));
            }
            Err(error) => {
                return Err(mount.failed(&format!("remove `{name}`"), &error, VfsErrorCode::IoDelete));
            }
        }
        if sync_dir { mount.sync_folder() } else { Ok(()) }
    }
}

struct Io;

impl SQLiteIoMethods for Io {
    type Store = Files;
}

struct Vfs;

impl SQLiteVfs<Io> for Vfs {
    type Os = Services;

    fn os(services: &Services) -> &Services {
        services
    }
}

/// What SQLite asks of the platform: no statement of ours needs a clock or chance.
struct Services;

impl OsCallback for Services {
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    fn random(&self, _: &mut [u8]) -> usize {
        0
    }

    fn epoch_timestamp_in_ms(&self) -> VfsResult<i64> {
        Err(VfsError::new(VfsErrorCode::Error, "the tables have no clock".into()))
    }
}
