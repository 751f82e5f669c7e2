//! Builds a container image of one program, as an archive of an OCI image layout
//! (opencontainers/image-spec, image-layout.md).

use std::env::consts::ARCH;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::IMAGE;
use crate::Result;
use crate::error::Doing;

/// The names of busybox in the image.
const LINKS: [&str; 3] = ["sh", "sleep", "cat"];

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// The archive of an image that holds `busybox`.
pub(super) fn archive(busybox: &[u8]) -> Result<Vec<u8>> {
    let layer = layer(busybox)?;
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": { "Cmd": ["/bin/sh"] },
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    });
    let config = config.to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, &config),
        "layers": [descriptor(LAYER, &layer)],
    });
    let manifest = manifest.to_string().into_bytes();
    let mut named = descriptor(MANIFEST, &manifest);
    named["annotations"] = json!({ "io.containerd.image.name": IMAGE });
    let index = json!({ "schemaVersion": 2, "manifests": [named] });
    let layout = json!({ "imageLayoutVersion": "1.0.0" });

    let mut archive = Builder::new(Vec::new());
    for blob in [&layer, &config, &manifest] {
        let path = format!("blobs/{}", digest(blob).replace(':', "/"));
        add_file(&mut archive, &path, 0o644, blob)?;
    }
    for (path, json) in [("index.json", index), ("oci-layout", layout)] {
        add_file(&mut archive, path, 0o644, json.to_string().as_bytes())?;
    }
    archive.into_inner().doing("the image")
}

/// The image's only layer.
fn layer(busybox: &[u8]) -> Result<Vec<u8>> {
    let mut layer = Builder::new(Vec::new());
    add_file(&mut layer, "bin/busybox", 0o755, busybox)?;
    for link in LINKS {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        let path = format!("bin/{link}");
        let added = layer.append_link(&mut header, &path, "busybox");
        added.doing(path)?;
    }
    layer.into_inner().doing("the image's layer")
}

fn add_file(tar: &mut Builder<Vec<u8>>, path: &str, mode: u32, content: &[u8]) -> Result {
    let mut header = Header::new_gnu();
    header.set_mode(mode);
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, path, content).doing(path)
}

fn descriptor(kind: &str, content: &[u8]) -> Value {
    json!({ "mediaType": kind, "digest": digest(content), "size": content.len() })
}

fn digest(content: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(content))
}

/// This machine's architecture in the names of Go, as the image specification requires.
fn architecture() -> &'static str {
    match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
