/* PyTorch without MKL multiplies matrices through libblas.so.3. oneDNN's product is faster on recent processors, so for
 * PyTorch at its best this stands in for that library: sgemm from oneDNN, all other routines from OpenBLAS.
 *   cc -O2 -shared -fPIC -Wl,-soname,libblas.so.3 -o DIR/libblas.so.3 onednn_sgemm.c -l:libdnnl.so.2 -Wl,--no-as-needed -l:libopenblas.so.0
 * and give DIR to `compare --peer-libraries`. */
typedef long dim;
int dnnl_sgemm(char trans_a, char trans_b, dim m, dim n, dim k, float alpha, const float *a, dim lda, const float *b, dim ldb,
               float beta, float *c, dim ldc);

/* BLAS is column-major and oneDNN row-major: C' = B' A'. */
void sgemm_(const char *trans_a, const char *trans_b, const int *m, const int *n, const int *k, const float *alpha,
            const float *a, const int *lda, const float *b, const int *ldb, const float *beta, float *c, const int *ldc)
{
    dnnl_sgemm(*trans_b, *trans_a, *n, *m, *k, *alpha, b, *ldb, a, *lda, *beta, c, *ldc);
}
