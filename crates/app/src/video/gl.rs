//! I420 pictures drawn by a shader: three one-channel textures, converted and scaled by the GPU.
//!
//! Works from OpenGL 2.1 and OpenGL ES 2.0 on. Everything here runs on the thread that owns the context.

use super::shader::{CORNERS, ShaderError, Shaders};
use eframe::egui_glow::ShaderVersion;
use eframe::glow::{self, HasContext as _};
use std::sync::Arc;
use visavis_media::{I420, Size};

/// Where and how to draw.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placement {
    /// Size of the viewport in pixels.
    pub(super) pixels: [f32; 2],
    /// Corner radius in pixels.
    pub(super) radius: f32,
    /// Left and right exchanged.
    pub(super) mirrored: bool,
}

/// Quad and textures of one picture.
pub(super) struct GlPicture {
    shaders: Arc<Shaders>,
    quad: glow::Buffer,
    array: Option<glow::VertexArray>,
    planes: [glow::Texture; 3],
    /// One-channel format: `RED`, or `LUMINANCE` where that does not exist.
    format: (i32, u32),
    longest_side: u32,
    size: Option<Size>,
}

impl GlPicture {
    /// Makes empty textures.
    ///
    /// # Errors
    /// [`ShaderError`] where the context refuses any of it.
    pub(super) fn new(gl: &glow::Context, shaders: Arc<Shaders>) -> Result<Self, ShaderError> {
        // SAFETY: the context is current on this thread, as eframe guarantees during creation and painting.
        unsafe { Self::build(gl, shaders) }.map_err(ShaderError)
    }

    unsafe fn build(gl: &glow::Context, shaders: Arc<Shaders>) -> Result<Self, String> {
        unsafe {
            let array = if has_vertex_arrays(gl) { Some(gl.create_vertex_array()?) } else { None };
            if array.is_some() {
                gl.bind_vertex_array(array);
            }
            let quad = gl.create_buffer()?;
            gl.bind_buffer(glow::ARRAY_BUFFER, Some(quad));
            let corners: [f32; 8] = [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
            let bytes: Vec<u8> = corners.iter().flat_map(|c| c.to_ne_bytes()).collect();
            gl.buffer_data_u8_slice(glow::ARRAY_BUFFER, &bytes, glow::STATIC_DRAW);
            if array.is_some() {
                point_at_corners(gl);
                gl.bind_vertex_array(None);
            }
            gl.bind_buffer(glow::ARRAY_BUFFER, None);
            let format = if ShaderVersion::get(gl).is_new_shader_interface() {
                (glow::R8 as i32, glow::RED)
            } else {
                (glow::LUMINANCE as i32, glow::LUMINANCE)
            };
            let planes = [plane(gl)?, plane(gl)?, plane(gl)?];
            let longest_side = gl.get_parameter_i32(glow::MAX_TEXTURE_SIZE).max(0) as u32;
            Ok(Self { shaders, quad, array, planes, format, longest_side, size: None })
        }
    }

    /// Puts a picture into the textures; makes them anew where its size differs from the last one's.
    pub(super) fn upload(&mut self, gl: &glow::Context, picture: &I420) {
        let size = picture.size();
        if size.width().max(size.height()) > self.longest_side {
            tracing::debug!(%size, limit = self.longest_side, "picture too large for this display");
            self.size = None;
            return;
        }
        let fresh = self.size != Some(size);
        self.size = Some(size);
        let (width, height) = (size.width() as i32, size.height() as i32);
        let halves = (width / 2, height / 2);
        let planes =
            [(picture.y(), (width, height)), (picture.u(), halves), (picture.v(), halves)].into_iter().zip(self.planes);
        let (internal, format) = self.format;
        // SAFETY: the context is current, and `I420` guarantees that each plane is width times height bytes long.
        unsafe {
            gl.pixel_store_i32(glow::UNPACK_ALIGNMENT, 1);
            gl.active_texture(glow::TEXTURE0);
            for ((bytes, (w, h)), texture) in planes {
                gl.bind_texture(glow::TEXTURE_2D, Some(texture));
                let pixels = glow::PixelUnpackData::Slice(Some(bytes));
                if fresh {
                    gl.tex_image_2d(glow::TEXTURE_2D, 0, internal, w, h, 0, format, glow::UNSIGNED_BYTE, pixels);
                } else {
                    gl.tex_sub_image_2d(glow::TEXTURE_2D, 0, 0, 0, w, h, format, glow::UNSIGNED_BYTE, pixels);
                }
            }
            gl.bind_texture(glow::TEXTURE_2D, None);
        }
    }

    /// Draws the uploaded picture over the current viewport; nothing where there is none.
    pub(super) fn draw(&self, gl: &glow::Context, placement: Placement) {
        let Some(size) = self.size else { return };
        let [w, h] = placement.pixels;
        let (w, h) = (w.max(1.0), h.max(1.0));
        let ratio = (size.width() as f32 / w).max(size.height() as f32 / h);
        let rounded = placement.radius > 0.0;
        let program = self.shaders.for_ratio(ratio, rounded);
        // SAFETY: the context is current and every object was made in it.
        unsafe {
            if !rounded {
                // Every pixel is covered; egui's painter switches mixing on again for what follows.
                gl.disable(glow::BLEND);
            }
            gl.use_program(Some(program.id));
            gl.uniform_1_f32(program.mirror.as_ref(), if placement.mirrored { 1.0 } else { 0.0 });
            gl.uniform_2_f32(program.size.as_ref(), w, h);
            gl.uniform_1_f32(program.radius.as_ref(), placement.radius);
            for (unit, texture) in self.planes.into_iter().enumerate() {
                gl.active_texture(glow::TEXTURE0 + unit as u32);
                gl.bind_texture(glow::TEXTURE_2D, Some(texture));
            }
            if self.array.is_some() {
                gl.bind_vertex_array(self.array);
            } else {
                gl.bind_buffer(glow::ARRAY_BUFFER, Some(self.quad));
                point_at_corners(gl);
            }
            gl.draw_arrays(glow::TRIANGLE_STRIP, 0, 4);
            if self.array.is_some() {
                gl.bind_vertex_array(None);
            } else {
                gl.disable_vertex_attrib_array(CORNERS);
            }
            for unit in (0..3).rev() {
                gl.active_texture(glow::TEXTURE0 + unit);
                gl.bind_texture(glow::TEXTURE_2D, None);
            }
        }
    }

    /// Gives everything back to the context, shared programs with the last picture.
    pub(super) fn destroy(&self, gl: &glow::Context) {
        if Arc::strong_count(&self.shaders) == 1 {
            self.shaders.destroy(gl);
        }
        // SAFETY: the context is current and every object was made in it.
        unsafe {
            gl.delete_buffer(self.quad);
            if let Some(array) = self.array {
                gl.delete_vertex_array(array);
            }
            for texture in self.planes {
                gl.delete_texture(texture);
            }
        }
    }
}

unsafe fn point_at_corners(gl: &glow::Context) {
    unsafe {
        gl.vertex_attrib_pointer_f32(CORNERS, 2, glow::FLOAT, false, 8, 0);
        gl.enable_vertex_attrib_array(CORNERS);
    }
}

/// The rule by which egui's own painter decides, so that either both have vertex arrays or neither.
fn has_vertex_arrays(gl: &glow::Context) -> bool {
    let known = ["GL_ARB_vertex_array_object", "GL_OES_vertex_array_object"];
    gl.version().major >= 3 || known.iter().any(|name| gl.supported_extensions().contains(*name))
}

unsafe fn plane(gl: &glow::Context) -> Result<glow::Texture, String> {
    unsafe {
        let texture = gl.create_texture()?;
        gl.bind_texture(glow::TEXTURE_2D, Some(texture));
        for (parameter, value) in [
            (glow::TEXTURE_MIN_FILTER, glow::LINEAR),
            (glow::TEXTURE_MAG_FILTER, glow::LINEAR),
            (glow::TEXTURE_WRAP_S, glow::CLAMP_TO_EDGE),
            (glow::TEXTURE_WRAP_T, glow::CLAMP_TO_EDGE),
        ] {
            gl.tex_parameter_i32(glow::TEXTURE_2D, parameter, value as i32);
        }
        gl.bind_texture(glow::TEXTURE_2D, None);
        Ok(texture)
    }
}
