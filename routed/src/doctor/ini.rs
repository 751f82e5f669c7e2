//! Reads the settings of configuration files with sections (systemd.syntax(7), `GKeyFile`).

/// A line `key=value` and the section it is in, as `[Network]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IniLine<'a> {
    pub(super) section: &'a str,
    pub(super) key: &'a str,
    pub(super) value: &'a str,
}

/// All settings, in order. Other lines are skipped.
pub(super) fn settings(text: &str) -> impl Iterator<Item = IniLine<'_>> {
    let mut section = "";
    text.lines().map(str::trim).filter_map(move |line| {
        if line.starts_with('[') {
            section = line;
            return None;
        }
        let (key, value) = line.split_once('=')?;
        let (key, value) = (key.trim(), value.trim());
        Some(IniLine {
            section,
            key,
            value,
        })
    })
}
