//! Man pages of the plugins, from the sections of the conflist.

use clap_mangen::roff::{Roff, bold, roman};
use reference::{CHAPTER, File, VERSION, path};
use wire::conf::{IPAM_TYPE, PLUGIN_TYPE};

use super::conflist::ConflistSection;
use super::section;

pub(super) fn of_plugins(sections: &[ConflistSection]) -> [File; 2] {
    let section = |name| section(sections, name);
    let (plugin, ipam, etcd) = (
        section("flatland"),
        section("flatland-ipam"),
        section("etcd"),
    );
    [
        of_plugin(
            PLUGIN_TYPE,
            "CNI plugin of the Flatland pod network",
            "Makes a veth pair into a pod's network namespace, and a host route to the pod. A container \
         runtime calls it, as its conflist says; the pod's addresses come from the IPAM plugin that \
         is named there.",
            &[("CONFIGURATION", plugin)],
        ),
        of_plugin(
            IPAM_TYPE,
            "CNI IPAM plugin of the Flatland pod network",
            "Hands out pods' addresses from subnets that the node owns, and claims a subnet of the pod \
         CIDR where none is left: to do so it runs flatland-claim, which is in the same folder. \
         flatland(8) calls it.",
            &[("CONFIGURATION", ipam), ("THE ETCD SECTION", etcd)],
        ),
    ]
}

fn of_plugin(name: &str, title: &str, about: &str, sections: &[(&str, &ConflistSection)]) -> File {
    let mut page = Roff::new();
    page.control(
        "TH",
        [&name.to_uppercase(), CHAPTER, "", VERSION, "Flatland"],
    );
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{name} - {title}"))]);
    page.control("SH", ["SYNOPSIS"]);
    page.text([
        bold("CNI_COMMAND"),
        roman("=ADD|DEL|CHECK|GC|STATUS|VERSION ... "),
        bold(name),
        roman(" < CONFIGURATION"),
    ]);
    page.control("br", []);
    page.text([bold(name), roman(" --help | --version")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(about)]);
    for (heading, section) in sections {
        page.control("SH", [*heading]);
        page.text([roman(
            "A JSON object. Keys that it does not know are errors.",
        )]);
        for key in &section.keys {
            page.control("TP", []);
            page.text([bold(key.name)]);
            page.text([roman(plain(&key.meaning.join(" ")))]);
            page.text([roman(plain(&key.range()))]);
        }
    }
    page.control("SH", ["EXIT STATUS"]);
    page.text([roman(
        "0, or 1 with an error on standard output: a JSON object with code, msg and details, which \
         say what failed and what to do about it.",
    )]);
    page.control("SH", ["SEE ALSO"]);
    page.text([
        bold("flatland"),
        roman("(8), "),
        bold("flatland-ipam"),
        roman("(8), "),
        bold("routed"),
        roman("(8), the CNI specification (https://www.cni.dev/docs/spec)"),
    ]);
    (path(name), page.render())
}

/// The text without Markdown's backquotes, which mean nothing on a terminal.
fn plain(text: &str) -> String {
    text.replace('`', "")
}
