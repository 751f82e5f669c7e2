//! The ledger's folder: paths, and reading files.
//!
//! Tests can fail an operation before any [`DiskStep`] ([`Disk::with_hook`]), as `kill -9` and a
//! full disk do.

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ipnet::IpNet;
use wire::cni::Attachment;
use wire::state_file;

use crate::ledger::allocation::Allocation;
use crate::ledger::error::Error;

/// One change on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskStep {
    /// Creates a folder.
    Folder,
    /// Writes a file that has no name yet.
    Content,
    /// Links that file to its name: the address is taken.
    Claim,
    /// Creates the link of an attachment.
    Link,
    /// Removes a file or link.
    Remove,
    /// Sets the time in an address file at which it was freed.
    Stamp,
    /// Moves an address file to the freed ones: the address is free.
    Free,
    /// Appends to a queue.
    Append,
    /// Rewrites the header of a queue.
    Header,
    /// Writes a new queue beside the old one.
    Queue,
    /// Replaces the old queue by the new one.
    Replace,
    /// Marks the node's subnets as confirmed.
    Confirm,
    /// Removes the file of a freed address to make room.
    Discard,
}

impl DiskStep {
    /// Whether only ADD makes this step, and cannot do without it. DEL makes no room: it needs none.
    pub(crate) fn is_for_add(self) -> bool {
        use DiskStep::{Claim, Confirm, Content, Folder, Link, Queue};
        matches!(self, Folder | Content | Claim | Link | Queue | Confirm)
    }
}

/// Called before each step. If it returns an error, the step fails with that error.
pub type StepHook = dyn Fn(DiskStep) -> io::Result<()>;

/// The largest address file that is read, in bytes; far more than Flatland writes.
const MAX_CONTENT: u64 = 64 * 1024;

/// The folder of one network's ledger.
pub struct Disk {
    root: PathBuf,
    pub(crate) hook: Option<Box<StepHook>>,
    warnings: RefCell<Vec<String>>,
}

impl Disk {
    /// The ledger in `root`, which need not exist.
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
            hook: None,
            warnings: RefCell::default(),
        }
    }

    /// Like [`Disk::new`], with a hook that is called before each step.
    pub fn with_hook(root: PathBuf, hook: Box<StepHook>) -> Self {
        Self {
            hook: Some(hook),
            ..Self::new(root)
        }
    }

    /// The folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the address files.
    pub(crate) fn addresses(&self) -> PathBuf {
        self.root.join("addresses")
    }

    /// The folder of the attachments' links.
    pub(crate) fn attachments(&self) -> PathBuf {
        self.root.join("attachments")
    }

    /// The folder of the address files that DEL leaves. They name the last holder. Their
    /// modification time is the time since boot at which they were freed.
    pub(crate) fn freed(&self) -> PathBuf {
        self.root.join("freed")
    }

    /// The folder of the queues of freed addresses, one per subnet.
    pub(crate) fn queues(&self) -> PathBuf {
        self.root.join("queues")
    }

    /// The marker that the node's subnets were confirmed. Like the whole ledger, it is lost at a
    /// reboot.
    pub(crate) fn confirmed(&self) -> PathBuf {
        self.root.join("confirmed")
    }

    /// The file of an allocated address.
    pub(crate) fn address(&self, address: IpAddr) -> PathBuf {
        self.addresses().join(address.to_string())
    }

    /// The queue of a subnet.
    pub(crate) fn queue(&self, subnet: &IpNet) -> PathBuf {
        self.queues()
            .join(format!("{}-{}", subnet.addr(), subnet.prefix_len()))
    }

    /// The link of an attachment for an address family, `'4'` or `'6'`.
    pub(crate) fn link(&self, attachment: &Attachment, family: char) -> PathBuf {
        let (container, interface) = (attachment.container_id(), attachment.interface());
        self.attachments()
            .join(format!("{container}@{interface}.{family}"))
    }

    /// Keeps a warning for the log. The operation goes on.
    pub(crate) fn warn(&self, warning: String) {
        self.warnings.borrow_mut().push(warning);
    }

    /// Takes the warnings.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warnings.take()
    }

    /// Whether there is a file, link or folder at `path`.
    pub(crate) fn exists(path: &Path) -> Result<bool, Error> {
        match path.symlink_metadata() {
            Ok(_) => Ok(true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(Error::io("stat", path)(error)),
        }
    }

    /// The holder of `address`; `None` if it is free.
    pub(crate) fn allocation(&self, address: IpAddr) -> Result<Option<Allocation>, Error> {
        let path = self.address(address);
        let Some(file) = open_address(&path)? else {
            return Ok(None);
        };
        let mut content = Vec::new();
        file.take(MAX_CONTENT)
            .read_to_end(&mut content)
            .map_err(Error::io("read", &path))?;
        Allocation::parse(&content)
            .map(Some)
            .map_err(|why| Error::Damaged { path, why })
    }

    /// When `address` was freed, as time since boot; `None` if it is not among the freed ones.
    pub(crate) fn freed_at(&self, address: IpAddr) -> Result<Option<Duration>, Error> {
        let path = self.freed().join(address.to_string());
        match path
            .symlink_metadata()
            .and_then(|metadata| metadata.modified())
        {
            // A time before 1970 counts as 0, the time of boot.
            Ok(time) => Ok(Some(
                time.duration_since(SystemTime::UNIX_EPOCH)
                    .unwrap_or_default(),
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("stat", &path)(error)),
        }
    }

    /// The files of freed addresses, those that are free for longest first.
    pub(crate) fn freed_files(&self) -> Vec<PathBuf> {
        let names = Self::names(&self.freed()).unwrap_or_default();
        let addresses = names.iter().filter_map(|name| name.parse().ok());
        let mut files: Vec<_> = addresses
            .filter_map(|address| Some((self.freed_at(address).ok()??, address)))
            .collect();
        files.sort_unstable();
        let path = |(_, address): (Duration, IpAddr)| self.freed().join(address.to_string());
        files.into_iter().map(path).collect()
    }

    /// Whether a folder is missing, or holds nothing.
    pub(crate) fn is_empty(folder: &Path) -> bool {
        fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
    }

    /// The names in a folder; none if the folder is missing.
    pub(crate) fn names(folder: &Path) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        Self::each_name(folder, |name| names.push(name.to_owned()))?;
        Ok(names)
    }

    /// Calls `on_name` for each name in a folder, of which there may be thousands.
    fn each_name(folder: &Path, mut on_name: impl FnMut(&str)) -> Result<(), Error> {
        let entries = match fs::read_dir(folder) {
            Err(error) if is_missing(&error) => return Ok(()),
            entries => entries.map_err(Error::io("list", folder))?,
        };
        for entry in entries {
            let entry = entry.map_err(Error::io("list", folder))?;
            on_name(&entry.file_name().to_string_lossy());
        }
        Ok(())
    }

    /// The held addresses, sorted.
    pub(crate) fn held(&self) -> Result<Vec<IpAddr>, Error> {
        self.held_where(|_| true)
    }

    /// The held addresses of the family of `subnet`, sorted.
    pub(crate) fn held_of_family(&self, subnet: &IpNet) -> Result<Vec<IpAddr>, Error> {
        self.held_where(|name| is_same_family(name, subnet))
    }

    fn held_where(&self, filter: impl Fn(&str) -> bool) -> Result<Vec<IpAddr>, Error> {
        let mut held = Vec::new();
        Self::each_name(&self.addresses(), |name| {
            if filter(name) {
                held.extend(name.parse::<IpAddr>());
            }
        })?;
        held.sort_unstable();
        Ok(held)
    }
}

/// Whether there is nothing at a path, or a file in the place of its folder: ADD reports such a file,
/// and DEL frees what there is.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    let missing = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
    missing.contains(&error.kind())
}

/// Whether the name of an address file is of the family of `subnet`: only IPv6 addresses have
/// colons.
pub(crate) fn is_same_family(name: &str, subnet: &IpNet) -> bool {
    name.contains(':') != subnet.addr().is_ipv4()
}

/// The family of `address` in the names of links.
pub(crate) fn family(address: IpAddr) -> char {
    if address.is_ipv4() { '4' } else { '6' }
}

/// Opens an address file, which must be a regular file.
pub(crate) fn open_address(path: &Path) -> Result<Option<File>, Error> {
    match state_file::open(path, OpenOptions::new().read(true)) {
        Ok(file) => Ok(Some(file)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) if state_file::is_irregular(&error) => Err(Error::Damaged {
            path: path.to_owned(),
            why: error.to_string(),
        }),
        Err(error) => Err(Error::io("open", path)(error)),
    }
}
