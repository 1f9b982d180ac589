"""What the integration tests share: the runtime under test, bundles, the host as seen from outside."""
