//! What the file of an allocated address says.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use wire::cni::Attachment;

/// Who holds an address, for us and for the person who asks why it is taken. Unknown keys are
/// ignored: a later version may have written the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Allocation {
    /// Container id of the attachment.
    pub container_id: String,
    /// Interface name of the attachment, inside the pod.
    pub interface: String,
    /// The subnet that the address is from.
    pub subnet: IpNet,
    /// When it was allocated, in seconds since 1970.
    pub since: u64,
    /// Namespace of the pod, where the runtime passes it (`K8S_POD_NAMESPACE`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_namespace: Option<String>,
    /// Name of the pod, where the runtime passes it (`K8S_POD_NAME`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_name: Option<String>,
    /// Path of the pod's network namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<String>,
    /// Inode of that namespace: its path may name another one later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns_inode: Option<u64>,
}

impl Allocation {
    /// Whether `attachment` holds the address.
    pub fn is_of(&self, attachment: &Attachment) -> bool {
        self.container_id == attachment.container_id() && self.interface == attachment.interface()
    }

    /// Reads a file's content; the error says what is wrong with it.
    pub fn parse(content: &[u8]) -> Result<Self, String> {
        if content.is_empty() {
            return Err("it is empty".to_owned());
        }
        let allocation: Self = serde_json::from_slice(content).map_err(|why| why.to_string())?;
        allocation.attachment()?;
        Ok(allocation)
    }

    /// The attachment that holds the address; the error says why it cannot be one.
    pub fn attachment(&self) -> Result<Attachment, String> {
        Attachment::new(&self.container_id, &self.interface).map_err(|why| why.to_string())
    }

    /// The file's content: one line of JSON.
    pub fn render(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers are JSON") + "\n"
    }
}
