//! What can be typed of datasets. As in [`super::nouns`], a field is named as the API names it.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::Value;

use super::nouns::{ById, Change, End, Stewards, Which, document};

#[derive(Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Classification {
    /// For everybody.
    Public,
    /// For the company.
    Internal,
    /// For those who need it.
    Confidential,
    /// For few, by name.
    Restricted,
}

#[derive(Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Audit {
    /// The record of an access is durable before data flows.
    Strict,
    /// At most 100 ms of records may be lost in a crash; not for GxP data.
    Batched,
}

#[derive(Subcommand)]
pub(crate) enum Dataset {
    /// Register a dataset.
    Create(Box<NewDataset>),
    /// Change the name, description, classification, audit class, owner or stewards.
    Change(Box<Change<DatasetChange>>),
    /// The policy of a dataset, which narrows what grants allow.
    #[command(subcommand)]
    Policy(DatasetPolicy),
    /// Give a dataset a new version of its key; what is there stays readable.
    RotateKey(End),
    /// End a dataset: every grant on it stops working; its objects are kept.
    End(End),
}

#[derive(Args, Serialize)]
pub(crate) struct NewDataset {
    /// Its name.
    name: String,
    /// Name or id of its domain.
    #[arg(long)]
    domain: String,
    /// The bucket.
    #[arg(long)]
    bucket: String,
    /// The prefix in the bucket, ending in `/`; empty for the whole bucket.
    #[arg(long, default_value = "")]
    prefix: String,
    /// Name or id of the group that owns it.
    #[arg(long)]
    owner: String,
    /// Name or id of a steward group; once for each.
    #[arg(long = "steward")]
    stewards: Vec<String>,
    /// How sensitive it is: by default internal.
    #[arg(long, value_enum)]
    classification: Option<Classification>,
    /// It is GxP data: it is changed and ended with a reason only.
    #[arg(long)]
    gxp: bool,
    /// It holds personal data.
    #[arg(long)]
    personal: bool,
    /// How its accesses are recorded: by default strict.
    #[arg(long, value_enum)]
    audit: Option<Audit>,
    /// What it is.
    #[arg(long, default_value = "")]
    description: String,
    /// Who makes the data.
    #[arg(long, default_value = "")]
    producer: String,
}

#[derive(Args, Serialize)]
pub(crate) struct DatasetChange {
    /// The new name.
    #[arg(long)]
    name: Option<String>,
    /// The new description.
    #[arg(long)]
    description: Option<String>,
    /// The new classification.
    #[arg(long, value_enum)]
    classification: Option<Classification>,
    /// How its accesses are recorded.
    #[arg(long, value_enum)]
    audit: Option<Audit>,
    /// The new owner group.
    #[arg(long)]
    owner: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) stewards: Stewards,
    /// The reason; needed for a dataset under GxP.
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum DatasetPolicy {
    /// Print the policy as `put` takes it.
    Show(ById),
    /// Set the policy: Deny statements alone.
    Put {
        #[command(flatten)]
        which: Which,
        /// The document, or what `show --output json` printed; `-` for standard input.
        #[arg(value_parser = policy_of, value_name = "FILE")]
        policy: Value,
        /// The reason; needed for a dataset under GxP.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Remove the policy.
    Delete {
        #[command(flatten)]
        which: Which,
        /// The reason; needed for a dataset under GxP.
        #[arg(long)]
        reason: Option<String>,
    },
}

/// A policy: the document in a file, or the row that `show` printed of it.
fn policy_of(file: &str) -> anyhow::Result<Value> {
    let mut read = document(file)?;
    Ok(read.get_mut("policy").map(Value::take).unwrap_or(read))
}
