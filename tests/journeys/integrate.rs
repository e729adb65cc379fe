//! The program that docs/integrate.md shows, run as it stands there.

use std::{path::Path, process::Stdio};

use account_linking::clock::{SystemRandomness, random_bytes};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use harness::{
    engines::Engine,
    iam::{ACCESS_KEY_ID, SECRET_ACCESS_KEY},
    magento::{Magento, Person},
    stack::{Setup, Stack},
};
use serde_json::{Value, json};
use tokio::process::Command;

const GUIDE: &str = include_str!("../../docs/integrate.md");

/// Finds `*.localhost` where browsers find it, whatever the machine's resolver knows; then calls a function of the program.
const CALL: &str = r#"
import json, socket, sys
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: resolve("127.0.0.1" if host.endswith(".localhost") else host, *rest, **more)
sys.path.insert(0, sys.argv[1])
import accounts_sso
print(json.dumps(getattr(accounts_sso, sys.argv[2])(*sys.argv[3:])))
"#;

/// The one program in Python that the guide shows.
fn program() -> &'static str {
    let (_, rest) = GUIDE.split_once("```python\n").unwrap();
    let (program, rest) = rest.split_once("```\n").unwrap();
    assert!(!rest.contains("```python"), "another program, which nobody runs");
    program
}

/// The program in a folder of its own, which ends with it.
struct Site<'a> {
    stack: &'a Stack,
    folder: std::path::PathBuf,
}

impl<'a> Site<'a> {
    fn beside(stack: &'a Stack) -> Self {
        let name = URL_SAFE_NO_PAD.encode(random_bytes::<12>(&SystemRandomness::default()).unwrap());
        let folder = std::env::temp_dir().join(format!("accounts-sso-{name}"));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("accounts_sso.py"), program()).unwrap();
        Self { stack, folder }
    }

    /// What its `function` returns.
    async fn calls(&self, function: &str, arguments: &[&str]) -> Value {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/python/bin/python");
        let output = Command::new(&python)
            .args(["-B", "-c", CALL])
            .arg(&self.folder)
            .arg(function)
            .args(arguments)
            .env_clear()
            .env("SSO_API", self.stack.origin())
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap_or_else(|error| panic!("{}: {error}; does `make tools` help?", python.display()));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for Site<'_> {
    fn drop(&mut self) {
        // Whoever cleans up temporary files takes what this leaves.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test]
async fn whoever_reads_how_to_integrate_can_sign_people_in() {
    let stack = Setup::new(Engine::Embedded, Magento::Development).start().await;
    let site = Site::beside(&stack);
    stack.linked(Person::Alice, Person::Alice).await;
    for (person, expected) in [(Person::Alice, "refused"), (Person::Bruno, "link_only")] {
        let told = site.calls("other_methods", &["magento", person.account_id()]).await;
        assert_eq!(told, expected);
    }

    let begun = site.calls("begin", &["magento"]).await;
    let [verifier, path] = [0, 1].map(|place| begun[place].as_str().unwrap());
    let page = stack.browser().visits(&stack.at(path)).await;
    let back = stack.magento.signs_in(&page, Person::Alice).await.follows().await;
    let ticket = back.location_parameter("ticket").unwrap();

    assert_eq!(site.calls("redeem", &[&ticket, "another browser's"]).await, Value::Null);
    let redeemed = site.calls("redeem", &[&ticket, verifier]).await;
    assert_eq!(redeemed["account_id"], Person::Alice.account_id());
    assert_eq!(redeemed["identity"]["sub"], json!(Person::Alice.subject()));
    assert_eq!(site.calls("redeem", &[&ticket, verifier]).await, Value::Null);
}
