//! The local stack stops and starts again.

use account_linking::config::Environment;
use harness::{
    browser::{Answer, Browser},
    magento::{Magento, Person},
    stack::CONNECT,
};
use http::Method;

async fn start(folder: &std::path::Path, port: &str) -> local_stack::Stack {
    let mut environment = Environment::default();
    environment.set("PORT", port);
    environment.set("DATA_DIR", folder.to_string_lossy());
    // On another port the provider is another issuer: e-mail is the way in.
    environment.set("LINKING_REQUIRED_FROM", "never");
    local_stack::Stack::start(environment).await.unwrap()
}

async fn settings_of(person: Person, stack: &local_stack::Stack) -> Answer {
    let page = Browser::default().visits(&format!("{}/sign-in", stack.origin())).await;
    page.presses(person.account_email()).await.followed().await
}

async fn status(settings: &Answer) -> serde_json::Value {
    settings
        .fetching(Method::GET, "/sso/magento/status", "application/json")
        .send()
        .await
        .json()
}

#[tokio::test]
async fn what_is_linked_is_still_linked_after_a_restart() {
    let folder = Folder::new("links");
    let stack = start(&folder.0, "0").await;
    let settings = settings_of(Person::Alice, &stack).await;
    let page = settings.presses(CONNECT).await.followed().await;
    let settings = Magento::Development
        .signs_in(&page, Person::Alice)
        .await
        .followed()
        .await;
    let before = status(&settings).await;
    assert_eq!(before["status"], "linked");
    stack.shutdown().await;

    let stack = start(&folder.0, "0").await;
    let settings = settings_of(Person::Alice, &stack).await;
    assert_eq!(status(&settings).await["link"], before["link"]);
    assert_eq!(
        status(&settings_of(Person::Bruno, &stack).await).await["status"],
        "not_linked"
    );
    stack.shutdown().await;
}

#[tokio::test]
async fn whoever_is_signed_in_is_still_signed_in_after_a_restart() {
    let folder = Folder::new("sessions");
    let stack = start(&folder.0, "0").await;
    let settings = settings_of(Person::Alice, &stack).await;
    let port = stack.origin().rsplit(':').next().unwrap().to_owned();
    stack.shutdown().await;

    let stack = start(&folder.0, &port).await;
    assert_eq!(status(&settings).await["status"], "not_linked");
    stack.shutdown().await;
}

/// A folder of this test's own, which ends with it.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("account-linking-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Whoever cleans up temporary files takes what this leaves.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
