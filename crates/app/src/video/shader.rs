//! The programs that turn I420 into what is seen, compiled for whatever OpenGL there is.

use eframe::egui_glow::ShaderVersion;
use eframe::glow::{self, HasContext as _};

const VERTEX: &str = include_str!("picture.vert");
const FRAGMENT: &str = include_str!("picture.frag");
/// Attribute location of the quad's corners.
pub(super) const CORNERS: u32 = 0;
/// Planes that are shrunk by less than this look best with linear filtering alone.
const SHRUNK: f32 = 2.0;
/// Planes that are shrunk by more than this take four taps each way: two would miss some of them.
const SHRUNK_A_LOT: f32 = 4.0;

/// Why pictures cannot be drawn by a shader here.
#[derive(Debug, thiserror::Error)]
#[error("no shader for pictures: {0}")]
pub(super) struct ShaderError(pub(super) String);

/// One program for each degree of shrinking, and one for the usual large picture, which has no round corners.
pub(super) struct Shaders {
    square: Program,
    plain: Program,
    shrunk: Program,
    shrunk_a_lot: Program,
}

/// A program and where its parameters are.
pub(super) struct Program {
    pub(super) id: glow::Program,
    pub(super) mirror: Option<glow::UniformLocation>,
    pub(super) size: Option<glow::UniformLocation>,
    pub(super) radius: Option<glow::UniformLocation>,
}

impl Shaders {
    /// Compiles them.
    ///
    /// # Errors
    /// [`ShaderError`] with the driver's words.
    pub(super) fn new(gl: &glow::Context) -> Result<Self, ShaderError> {
        let version = ShaderVersion::get(gl);
        let program = |luma, chroma, rounded| {
            let shape = Shape { luma, chroma, rounded };
            // SAFETY: the context is current on this thread, as eframe guarantees during creation.
            unsafe { Program::new(gl, version, shape) }.map_err(ShaderError)
        };
        Ok(Self {
            square: program(1, 1, false)?,
            plain: program(1, 1, true)?,
            shrunk: program(2, 1, true)?,
            shrunk_a_lot: program(4, 2, true)?,
        })
    }

    /// The program for a picture whose sides are `ratio` times as long as what they are drawn on, with round corners or
    /// without.
    pub(super) fn for_ratio(&self, ratio: f32, rounded: bool) -> &Program {
        if ratio > SHRUNK_A_LOT {
            &self.shrunk_a_lot
        } else if ratio > SHRUNK {
            &self.shrunk
        } else if rounded {
            &self.plain
        } else {
            &self.square
        }
    }

    /// Gives them back to the context.
    pub(super) fn destroy(&self, gl: &glow::Context) {
        for program in [&self.square, &self.plain, &self.shrunk, &self.shrunk_a_lot] {
            // SAFETY: the context is current and the program was made in it.
            unsafe { gl.delete_program(program.id) };
        }
    }
}

/// What a program is compiled for.
#[derive(Clone, Copy)]
struct Shape {
    /// Taps per pixel and direction.
    luma: u32,
    /// The same for both colour planes.
    chroma: u32,
    /// With round corners.
    rounded: bool,
}

impl Program {
    unsafe fn new(gl: &glow::Context, version: ShaderVersion, shape: Shape) -> Result<Self, String> {
        unsafe {
            let id = link(gl, version, shape)?;
            gl.use_program(Some(id));
            for (unit, name) in ["u_luma", "u_cb", "u_cr"].into_iter().enumerate() {
                gl.uniform_1_i32(gl.get_uniform_location(id, name).as_ref(), unit as i32);
            }
            gl.use_program(None);
            Ok(Self {
                id,
                mirror: gl.get_uniform_location(id, "u_mirror"),
                size: gl.get_uniform_location(id, "u_size"),
                radius: gl.get_uniform_location(id, "u_radius"),
            })
        }
    }
}

/// What makes the same source valid in each dialect.
fn prefix(version: ShaderVersion, fragment: bool, shape: Shape) -> String {
    let mut text = String::from(version.version_declaration());
    if version.is_embedded() {
        text += "#if defined(GL_FRAGMENT_PRECISION_HIGH) && GL_FRAGMENT_PRECISION_HIGH == 1\n\
                 precision highp float;\n#else\nprecision mediump float;\n#endif\n";
    }
    text += match (version.is_new_shader_interface(), fragment) {
        (true, false) => "#define IN in\n#define OUT out\n",
        (true, true) => "#define IN in\n#define TEXTURE texture\nout vec4 f_colour;\n#define COLOUR f_colour\n",
        (false, false) => "#define IN attribute\n#define OUT varying\n",
        (false, true) => "#define IN varying\n#define TEXTURE texture2D\n#define COLOUR gl_FragColor\n",
    };
    let Shape { luma, chroma, rounded } = shape;
    text + &format!("#define LUMA_TAPS {luma}\n#define CHROMA_TAPS {chroma}\n#define ROUNDED {}\n", u8::from(rounded))
}

unsafe fn link(gl: &glow::Context, version: ShaderVersion, shape: Shape) -> Result<glow::Program, String> {
    unsafe {
        let program = gl.create_program()?;
        let mut shaders = Vec::new();
        for (kind, source) in [(glow::VERTEX_SHADER, VERTEX), (glow::FRAGMENT_SHADER, FRAGMENT)] {
            let shader = gl.create_shader(kind)?;
            gl.shader_source(shader, &(prefix(version, kind == glow::FRAGMENT_SHADER, shape) + source));
            gl.compile_shader(shader);
            if !gl.get_shader_compile_status(shader) {
                return Err(gl.get_shader_info_log(shader));
            }
            gl.attach_shader(program, shader);
            shaders.push(shader);
        }
        gl.bind_attrib_location(program, CORNERS, "a_at");
        gl.link_program(program);
        if !gl.get_program_link_status(program) {
            return Err(gl.get_program_info_log(program));
        }
        for shader in shaders {
            gl.detach_shader(program, shader);
            gl.delete_shader(shader);
        }
        Ok(program)
    }
}
