#import logsumexp
// The exact block update of a node's potential under its marginal law.
// Multi-marginal GW paper's inner problem, node updates (Sinkhorn on a tree); laws:
// 0 fixed, 1 KL (first = rho / (rho + eps)), 2 TV (first = rho / eps),
// 3 range (first, second = log of the lower and upper factor), 4 free.

struct Law {
    kind: u32,
    first: f32,
    second: f32,
}

// The potential g = f / eps whose marginal exp(g + log_reference + belief) the law asks for.
fn law_potential(law: Law, log_weight: f32, log_reference: f32, belief: f32) -> f32 {
    if law.kind == 4u || belief < NEARLY_NOTHING {
        // Free, or no mass can get here: the potential does not matter.
        return 0.0;
    }
    if log_reference < NEARLY_NOTHING {
        return 0.0; // the reference already keeps the mass away
    }
    let free_marginal = log_reference + belief;
    if law.kind == 2u {
        return clamp(max(log_weight, NOTHING) - free_marginal, -law.first, law.first);
    }
    if log_weight < NEARLY_NOTHING {
        return NOTHING;
    }
    let ratio = log_weight - free_marginal;
    if law.kind == 1u {
        return law.first * ratio;
    }
    if law.kind == 3u {
        return clamp(0.0, ratio + law.first, ratio + law.second);
    }
    return ratio;
}

// A step of length `relaxation` from the old potential towards the new one.
fn relaxed(old: f32, goal: f32, relaxation: f32) -> f32 {
    if old < NEARLY_NOTHING || goal < NEARLY_NOTHING {
        return goal;
    }
    return old + relaxation * (goal - old);
}
