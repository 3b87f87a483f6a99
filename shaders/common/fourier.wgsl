// Discrete Fourier transforms, sum_x exp(-2 pi i f x / length) value_x, of lines of complex numbers
// in workgroup memory: Stockham's algorithm with radices 2 to 5, in place by way of registers.
// The parameters of a shader that imports this begin with
//     length,  // of a line: the product of the radices
//     lines,   // that a workgroup holds
//     pitch,   // places from line to line: odd, so that both ways through them avoid bank conflicts
//     radices, // of the stages, four bits each, the first one lowest

@group(0) @binding(0) var<storage, read> twiddles: array<vec2<f32>>; // exp(-2 pi i k / length)

var<workgroup> held: array<vec2<f32>, 2048>;

fn complex_product(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

// -i z
fn turned(z: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(z.y, -z.x);
}

// Where a butterfly reads and writes its first number, and the step of its twiddles.
struct Spot {
    input: u32,
    output: u32,
    twiddle: u32,
}

fn spot(butterfly: u32, radix: u32, step: u32, span: u32) -> Spot {
    let start = (butterfly / step) * params.pitch;
    let i = butterfly % step;
    let k = i % span;
    return Spot(start + i, start + (i - k) * radix + k, k * (step / span));
}

// What stands in `held` before, all of it written, is transformed after, all of it readable.
fn transform(thread: u32) {
    workgroupBarrier();
    var span = 1u;
    for (var radices = params.radices; radices != 0u; radices >>= 4u) {
        let radix = radices & 15u;
        let step = params.length / radix;
        let butterflies = params.lines * step;
        // A workgroup of 256 threads takes up to 1024 butterflies of radix 2, fewer of the others.
#repeat u 4
        var spot$u = Spot(0u, 0u, 0u);
#repeat q 5
        var z$u_$q = vec2<f32>(0.0);
#end
        if thread + 256u * $uu < butterflies {
            let at = spot(thread + 256u * $uu, radix, step, span);
            spot$u = at;
            z$u_0 = held[at.input];
            z$u_1 = complex_product(held[at.input + step], twiddles[at.twiddle]);
            if radix > 2u {
                z$u_2 = complex_product(held[at.input + 2u * step], twiddles[2u * at.twiddle]);
            }
            if radix > 3u {
                z$u_3 = complex_product(held[at.input + 3u * step], twiddles[3u * at.twiddle]);
            }
            if radix > 4u {
                z$u_4 = complex_product(held[at.input + 4u * step], twiddles[4u * at.twiddle]);
            }
        }
#end
        switch radix {
            case 2u: {
#repeat u 4
                let a$u = z$u_0;
                z$u_0 = a$u + z$u_1;
                z$u_1 = a$u - z$u_1;
#end
            }
            case 3u: {
#repeat u 3
                let both$u = z$u_1 + z$u_2;
                let across$u = turned(0.8660254037844386 * (z$u_1 - z$u_2));
                let middle$u = fma(vec2<f32>(-0.5), both$u, z$u_0);
                z$u_0 += both$u;
                z$u_1 = middle$u + across$u;
                z$u_2 = middle$u - across$u;
#end
            }
            case 4u: {
#repeat u 2
                let even$u = z$u_0 + z$u_2;
                let odd$u = z$u_1 + z$u_3;
                let straight$u = z$u_0 - z$u_2;
                let across$u = turned(z$u_1 - z$u_3);
                z$u_0 = even$u + odd$u;
                z$u_1 = straight$u + across$u;
                z$u_2 = even$u - odd$u;
                z$u_3 = straight$u - across$u;
#end
            }
            default: {
#repeat u 2
                // cos and sin of 72 and of 144 degrees.
                let near$u = z$u_1 + z$u_4;
                let far$u = z$u_2 + z$u_3;
                let p$u = z$u_0 + 0.30901699437494745 * near$u - 0.8090169943749475 * far$u;
                let q$u = z$u_0 - 0.8090169943749475 * near$u + 0.30901699437494745 * far$u;
                let r$u = z$u_1 - z$u_4;
                let s$u = z$u_2 - z$u_3;
                let t$u = turned(0.9510565162951535 * r$u + 0.5877852522924731 * s$u);
                let v$u = turned(0.5877852522924731 * r$u - 0.9510565162951535 * s$u);
                z$u_0 += near$u + far$u;
                z$u_1 = p$u + t$u;
                z$u_2 = q$u + v$u;
                z$u_3 = q$u - v$u;
                z$u_4 = p$u - t$u;
#end
            }
        }
        workgroupBarrier();
#repeat u 4
        if thread + 256u * $uu < butterflies {
            held[spot$u.output] = z$u_0;
            held[spot$u.output + span] = z$u_1;
            if radix > 2u {
                held[spot$u.output + 2u * span] = z$u_2;
            }
            if radix > 3u {
                held[spot$u.output + 3u * span] = z$u_3;
            }
            if radix > 4u {
                held[spot$u.output + 4u * span] = z$u_4;
            }
        }
#end
        workgroupBarrier();
        span *= radix;
    }
}
