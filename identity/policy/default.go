package policy

// DefaultRules are the rules of a tenant that has not decided otherwise. They are kept like any other, and can be changed.
const DefaultRules = `// Everybody who has proved who they are may sign in.
permit (
    principal,
    action in [Action::"login", Action::"refresh", Action::"step_up", Action::"enroll_factor", Action::"exchange"],
    resource
);

// Administrators may do everything in the tenant.
permit (
    principal in Role::"admin",
    action == Action::"call_api",
    resource
);
`
