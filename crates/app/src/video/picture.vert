// A quad over the whole viewport; the prefix defines IN and OUT.
uniform float u_mirror; // 1: left and right exchanged
IN vec2 a_at;           // 0…1, y upwards
OUT vec2 v_at;          // place on the quad, 0…1
OUT vec2 v_picture;     // place in the picture, 0…1, y downwards

void main() {
    gl_Position = vec4(2.0 * a_at - 1.0, 0.0, 1.0);
    v_at = a_at;
    v_picture = vec2(mix(a_at.x, 1.0 - a_at.x, u_mirror), 1.0 - a_at.y);
}
