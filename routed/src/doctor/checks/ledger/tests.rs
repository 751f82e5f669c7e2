use super::*;
use crate::doctor::Severity;

#[test]
fn ledger_without_room_or_with_lost_addresses_is_found() {
    let room = |is_read_only, bytes, files| {
        Ok(FreeSpace {
            is_read_only,
            bytes,
            files,
        })
    };
    let folder = PathBuf::from("/run/flatland/net");
    let plenty = room(false, 1 << 24, Some(1 << 16));
    let sound = LedgerFacts {
        folder: folder.clone(),
        files: Vec::new(),
        room: plenty,
        held: Ok((3, Vec::new())),
    };
    let with_room = |room| LedgerFacts {
        room,
        ..sound.clone()
    };
    examine(&sound).assert(Severity::Ok, "/run/flatland/net has 3 addresses", "");
    for (case, facts, severity, evidence, fix) in [
        (
            "no limit of files",
            with_room(room(false, 1 << 24, None)),
            Severity::Ok,
            "3 addresses",
            "",
        ),
        (
            "a file",
            LedgerFacts {
                files: vec![folder.join("freed")],
                ..sound.clone()
            },
            Severity::Broken,
            "net/freed is a file",
            "rm /run/flatland/net/freed",
        ),
        (
            "read-only",
            with_room(room(true, 1 << 24, None)),
            Severity::Broken,
            "read-only",
            "remount",
        ),
        (
            "no bytes",
            with_room(room(false, 4096, Some(1 << 16))),
            Severity::Warning,
            "room for 4 kB and 65536 files",
            "du -xh /run",
        ),
        (
            "no files",
            with_room(room(false, 1 << 24, Some(0))),
            Severity::Warning,
            "and 0 files",
            "--inodes",
        ),
        (
            "lost",
            LedgerFacts {
                held: Ok((3, vec!["10.9.1.2".parse().unwrap()])),
                ..sound.clone()
            },
            Severity::Warning,
            "lacks 10.9.1.2",
            "within 30 s",
        ),
    ] {
        println!("{case}");
        examine(&facts).assert(severity, evidence, fix);
    }
}
