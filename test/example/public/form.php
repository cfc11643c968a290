<?php
if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
    error_log('only POST is answered here');
    http_response_code(405);
    exit;
}
echo 'got ', file_get_contents('php://input');
