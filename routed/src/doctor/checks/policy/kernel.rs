//! Whether the kernel takes the kinds of rules and sets that `flatland-policy` makes.

use nix::errno::Errno;
use wire::netlink::Error;
use wire::nft::{NftCommand, NftSocket};
use wire::policy_trial::trial_table;

/// Tries them in a transaction that the kernel refuses as a whole in the end, so that nothing changes.
///
/// # Errors
/// What the kernel does not take, or why it cannot be tried, in words.
pub(super) fn try_rules() -> Result<(), String> {
    let table = trial_table();
    let mut commands = table.replace_commands();
    commands.push(NftCommand::DelTable(table.id.clone()));
    // This one is refused in every case: the table is not there any more.
    commands.push(NftCommand::DelTable(table.id));
    let mut socket = NftSocket::open().map_err(|error| error.to_string())?;
    match socket.apply(&commands, None) {
        Err(Error::Refused { index, errno, .. })
            if (index, errno) == (commands.len() - 1, Errno::ENOENT) =>
        {
            Ok(())
        }
        Err(error) => Err(error.to_string()),
        Ok(()) => Err("it took a transaction that deletes a table twice".to_owned()),
    }
}
