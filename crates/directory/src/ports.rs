//! What the directory needs of the gate: which groups and roles a person has now, and where the line of epochs is.

use access::{Access, AuthPosition, EpochKey, Member};
use base::{ClientId, GroupId, PersonId, SignInId};

/// The live entitlements of people, and the epochs that cut credentials. `access` implements it.
pub trait Entitlements: Send + Sync + 'static {
    /// The live groups of a person.
    fn groups_of(&self, person: PersonId) -> Vec<GroupId>;
    /// The ARNs of the roles that the person's groups entitle them to, through this client.
    fn roles_of(&self, person: PersonId, client: ClientId) -> Vec<String>;
    /// The issuer's sequence number, which every new credential carries.
    fn position(&self) -> u64;
    /// Why a credential of this sign-in and position no longer counts; `None` when it does.
    fn cut(&self, person: PersonId, sign_in: SignInId, position: &AuthPosition) -> Option<String>;
}

impl Entitlements for Access {
    fn groups_of(&self, person: PersonId) -> Vec<GroupId> {
        Self::groups_of(self, person)
    }
    fn roles_of(&self, person: PersonId, client: ClientId) -> Vec<String> {
        let roles = self.entitled_roles(Member::Person(person), Some(client));
        roles.iter().map(|role| role.arn()).collect()
    }
    fn position(&self) -> u64 {
        self.epochs().position()
    }
    fn cut(&self, person: PersonId, sign_in: SignInId, position: &AuthPosition) -> Option<String> {
        let cut = [EpochKey::Person { person }, EpochKey::SignIn { sign_in }];
        cut.into_iter().find_map(|key| self.epochs().cut_of(key, position)).map(|cut| cut.key.to_string())
    }
}
