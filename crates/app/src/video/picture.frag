// I420 (ITU-R BT.601, limited range) to RGB, with rounded corners.
// The prefix defines IN, TEXTURE, COLOUR, ROUNDED (corners or none), and LUMA_TAPS and CHROMA_TAPS: taps per pixel and
// direction. They are constants because software renderers walk through every branch, taken or not.
uniform sampler2D u_luma;
uniform sampler2D u_cb;
uniform sampler2D u_cr;
uniform vec2 u_size;    // of the quad, in pixels
uniform float u_radius; // of its corners, in pixels
IN vec2 v_at;
IN vec2 v_picture;

// Shrunk pictures are averaged over the area of a pixel: linear filtering alone would flicker.
#define READ(NAME, TAPS) \
    float NAME(sampler2D plane) { \
        float sum = 0.0; \
        for (int y = 0; y < TAPS; y++) { \
            for (int x = 0; x < TAPS; x++) { \
                vec2 at = (vec2(float(x), float(y)) + 0.5) / float(TAPS) - 0.5; \
                sum += TEXTURE(plane, v_picture + at / u_size).r; \
            } \
        } \
        return sum / float(TAPS * TAPS); \
    }
READ(read_luma, LUMA_TAPS)
READ(read_chroma, CHROMA_TAPS)

void main() {
    float y = 1.164384 * (read_luma(u_luma) - 0.062745);
    float cb = read_chroma(u_cb) - 0.501961;
    float cr = read_chroma(u_cr) - 0.501961;
    vec3 rgb = clamp(vec3(y + 1.596027 * cr, y - 0.391762 * cb - 0.812968 * cr, y + 2.017232 * cb), 0.0, 1.0);
#if ROUNDED
    vec2 corner = abs(v_at - 0.5) * u_size - (0.5 * u_size - u_radius);
    float outside = min(max(corner.x, corner.y), 0.0) + length(max(corner, 0.0)) - u_radius;
    float cover = clamp(0.5 - outside, 0.0, 1.0);
    COLOUR = vec4(rgb * cover, cover);
#else
    COLOUR = vec4(rgb, 1.0);
#endif
}
