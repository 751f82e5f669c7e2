//! The content of an address file: which attachment holds the address.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use wire::cni::Attachment;

/// The holder of an address, for the plugin and for operators. Unknown fields are ignored: a later
/// version may have written the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Allocation {
    /// Container id of the attachment.
    pub container_id: String,
    /// Interface name of the attachment, inside the pod.
    pub interface: String,
    /// The subnet that the address belongs to.
    pub subnet: IpNet,
    /// When it was allocated, in seconds since 1970.
    pub since: u64,
    /// Namespace of the pod, if the runtime passes it (`K8S_POD_NAMESPACE`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_namespace: Option<String>,
    /// Name of the pod, if the runtime passes it (`K8S_POD_NAME`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_name: Option<String>,
    /// UID of the pod, if the runtime passes it (`K8S_POD_UID`). A later pod may have the same name;
    /// for a static pod it is not the UID of its Pod object, but the hash of its manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_uid: Option<String>,
    /// Path of the pod's network namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<String>,
    /// Inode of that namespace: the path may refer to another namespace later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns_inode: Option<u64>,
}

impl Allocation {
    /// Whether `attachment` holds the address.
    pub fn is_of(&self, attachment: &Attachment) -> bool {
        self.container_id == attachment.container_id() && self.interface == attachment.interface()
    }

    /// The pod as `namespace/name`, if the runtime passed both.
    pub fn pod(&self) -> Option<String> {
        let (namespace, name) = (self.pod_namespace.as_ref()?, self.pod_name.as_ref()?);
        Some(format!("{namespace}/{name}"))
    }

    /// Parses the content of a file. The error says what is wrong with it.
    pub fn parse(content: &[u8]) -> Result<Self, String> {
        if content.is_empty() {
            return Err("it is empty".to_owned());
        }
        let allocation: Self = serde_json::from_slice(content).map_err(|why| why.to_string())?;
        allocation.attachment()?;
        Ok(allocation)
    }

    /// The attachment that holds the address. The error says why it is not valid.
    pub fn attachment(&self) -> Result<Attachment, String> {
        Attachment::new(&self.container_id, &self.interface).map_err(|why| why.to_string())
    }

    /// Renders the content of the file: one line of JSON.
    pub fn render(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers are JSON") + "\n"
    }
}
